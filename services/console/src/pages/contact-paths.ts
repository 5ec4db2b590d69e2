import { hasScope } from "@heliograph/api";
import { base, type Visit } from "../page.ts";

export const contactPath = (id: string): string => `${base}/contacts/${encodeURIComponent(id)}`;
export const contactApi = (id: string): string => `/contacts/${encodeURIComponent(id)}`;
export const mayChange = ({ who }: Visit): boolean => hasScope(who.scopes, "contacts:write");
