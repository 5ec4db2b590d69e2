import { runService } from "@heliograph/process";
import { service } from "./index.ts";

await runService(service);
