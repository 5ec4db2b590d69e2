import { runService } from "@heliograph/runtime";
import { service } from "./index.ts";

await runService(service);
