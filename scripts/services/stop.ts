// `npm run services:stop`: ends what `services:start` started, and nothing else.
import { stopServices } from "./services.ts";
import { readState, removeState } from "./state.ts";

const services = readState();
if (services) await stopServices(services);
removeState();
