// `npm run services:start`: starts the servers unless they run, and prints their environment.
// In a shell: eval "$(npm run --silent services:start)"
import { areRunning, type Services, startServices, stopServices } from "./services.ts";
import { readState, writeState } from "./state.ts";

const { environment } = await runningServices();
for (const [name, value] of Object.entries(environment)) console.log(`export ${name}='${value}'`);

async function runningServices(): Promise<Services> {
  const last = readState();
  if (last && areRunning(last)) return last;
  // Some of them may have ended by themselves: no half of the old set stays behind.
  if (last) await stopServices(last);
  const services = await startServices();
  writeState(services);
  return services;
}
