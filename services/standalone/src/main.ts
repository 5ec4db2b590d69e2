import { refuseToStart } from "@heliograph/process";
import { start } from "./index.ts";

start().catch(refuseToStart);
