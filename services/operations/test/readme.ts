// What the README shows, compiled.
import { service } from "@heliograph/operations";

service.api?.groups.map(({ tag }) => tag); // ["operations"]
