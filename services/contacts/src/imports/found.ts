import type { Raw, RowFault } from "./columns.ts";

/** A record of a file: `row` counts records from 1, `line` is the physical line where it begins. */
export type Found = {
  readonly row: number;
  readonly line: number;
} & ({ readonly raw: Raw } | { readonly fault: RowFault });

/** The file cannot be read on from here. */
export class FileBroken extends Error {
  override readonly name = "FileBroken";
}
