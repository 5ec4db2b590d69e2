// What the README shows, compiled.
import { service } from "@heliograph/control";

service.api?.groups.map(({ tag }) => tag); // ["prices", "limits", "keys", "audit", "administration"]
