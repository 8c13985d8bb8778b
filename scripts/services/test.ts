// `npm run test:services`: runs test/services against servers of its own, stops them, and passes the exit code on.
// Further arguments go to vitest: npm run test:services -- test/services/s3.test.ts
import { spawn } from "node:child_process";
import { once } from "node:events";
import { startServices, stopServices } from "./services.ts";

const services = await startServices();
const vitest = spawn("vitest", ["run", "--config", "vitest.services.config.ts", ...process.argv.slice(2)], {
  stdio: "inherit",
  env: { ...process.env, ...services.environment },
});
// Ctrl-C reaches vitest as well, which ends by itself; this process stays to clean up.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => vitest.kill(signal));
try {
  const [code] = (await once(vitest, "exit")) as [number | null];
  process.exitCode = code ?? 1;
} finally {
  await stopServices(services);
}
