package interop;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/** Named scenarios, run in order; the process ends with 1 if one of them fails. */
final class Scenarios {
    interface Scenario {
        void run() throws Exception;
    }

    private final Map<String, Scenario> scenarios = new LinkedHashMap<>();

    Scenarios add(String name, Scenario scenario) {
        scenarios.put(name, scenario);
        return this;
    }

    /** Run all; returns the number of failures. */
    int run() {
        int failures = 0;
        for (Map.Entry<String, Scenario> each : scenarios.entrySet()) {
            try {
                each.getValue().run();
                System.out.println("ok      " + each.getKey());
            } catch (Throwable problem) {
                failures++;
                System.out.println("FAILED  " + each.getKey());
                problem.printStackTrace(System.out);
            }
        }
        return failures;
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    static void equal(Object expected, Object got) {
        check(Objects.equals(expected, got), "expected " + expected + ", got " + got);
    }
}
