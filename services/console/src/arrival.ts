import type { WebContext } from "@heliograph/api";
import type { Form } from "@heliograph/html";
import type { Request, Response } from "express";
import type { Hub } from "./live/hub.ts";
import type { Link } from "./client.ts";
import type { Session, Sessions } from "./sessions.ts";

export type Deps = Pick<WebContext, "masterKey" | "settings" | "apiUrl"> & {
  readonly sessions: Sessions;
  readonly hub: Hub;
};

/** One request, before it is known which page it is for. */
export type Arrival = {
  readonly request: Request;
  readonly response: Response;
  readonly path: string;
  readonly query: Form;
  readonly form: Form;
  readonly link: Link;
  readonly session: Session | undefined;
};
