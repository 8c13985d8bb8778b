// Runs before each test file of `npm test`. Files share processes, so a module that cleaned up for itself would do so for the first one alone.
import { afterAll } from "vitest";
import { useSteadyClock } from "./steady-clock.ts";
import { removeDirectories } from "./temporary.ts";

useSteadyClock();
afterAll(removeDirectories);
