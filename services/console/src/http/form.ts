export type { Form } from "@heliograph/html";
