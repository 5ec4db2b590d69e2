import type { Request, Response } from "express";
import type { ApiContext } from "./context.ts";

/** What pages are opened with. */
export type WebContext = ApiContext & {
  /** Where the REST surface answers, without a slash at the end. Known once the server listens. */
  readonly apiUrl: () => string;
};

/** Pages for people at the same origin as the REST surface. */
export type Web = {
  /** Whether this address, without its query, is one of them. The first of the services that says so gets the request; what nobody takes is for the REST surface. */
  serves(path: string): boolean;
  /** Answers the request; never rejects. */
  handle(request: Request, response: Response): Promise<void>;
  /** After the last request. */
  close(): Promise<void>;
};
