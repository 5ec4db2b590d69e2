import { services } from "../../services/ingress/src/index.ts";

/** Everything that works behind the API: what a second process, or one of several, runs. */
export const consumingServices = services.flatMap(({ name, consumers }) =>
  name === "ingress" || consumers === undefined ? [] : [name],
);
