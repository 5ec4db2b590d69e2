import { runService } from "@heliograph/platform";
import { service } from "./index.ts";

await runService(service);
