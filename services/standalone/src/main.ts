import { refuseToStart } from "@heliograph/platform";
import { start } from "./index.ts";

start().catch(refuseToStart);
