import type { Answers } from "./answers.ts";

/** What pages read of the REST surface. Values of enumerations may be newer than this console: they are shown as they come. */
export type List<Row> = {
  readonly data: readonly Row[];
  readonly next_cursor: string | null;
  readonly prev_cursor: string | null;
};

export type Message = Answers["Message"];
export type MessageSummary = Answers["MessageSummary"];
export type Moment = Answers["Timeline"]["data"][number];
export type Accepted = Answers["AcceptedMessage"];
export type Balance = Answers["Balance"];
export type Entry = Answers["WalletTransaction"];
export type Statement = Answers["WalletStatement"];
export type UsageRow = Answers["UsageRow"];
export type TemplateSummary = Answers["TemplateSummary"];
export type Template = Answers["Template"];
export type Variables = Template["variables"];
