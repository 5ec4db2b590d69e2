import type { Environment } from "@heliograph/contracts";
import type { AuditFilter, AuditRow } from "../tables/audit.ts";

/** An entry as the API shows it, and where it stands in its source. */
export type Entry = Omit<AuditRow, "id" | "time" | "changes"> & {
  /** A whole number that grows within the source. */
  readonly key: string;
  readonly at: string;
  readonly id: string;
  readonly environment: Environment;
  readonly changes: unknown;
};

/** A part of a source: rows from one key on, which is not among them. */
export type Range = { readonly limit: number; readonly beyond?: string; readonly newer: boolean };

export type Part = {
  /** Newest first, or oldest first where newer ones were asked for. */
  readonly entries: readonly Entry[];
  /** Set where the search stopped before there were enough: from where to go on, and the time there. */
  readonly reached?: { readonly key: string; readonly at: string };
};

/** Where entries come from, each in an order of its own. */
export type Source = {
  readonly name: string;
  read(filter: AuditFilter, range: Range): Promise<Part>;
};
