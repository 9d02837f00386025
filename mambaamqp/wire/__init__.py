"""Octets and what they mean on the wire: frames, methods, properties, field tables. Knows no broker."""
