export { loginOf } from "./login.ts";
export { hashPassword, isOutdated, verifyPassword } from "./passwords.ts";
export * from "./tables/agents.ts";
export * from "./tables/codes.ts";
export * from "./tables/limits.ts";
export * from "./tables/mails.ts";
export * from "./tables/tokens.ts";
