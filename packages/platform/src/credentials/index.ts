export { loginOf } from "./login.ts";
export { hashPassword, isOutdated, verifyPassword } from "./passwords.ts";
export * from "./tables/agents.ts";
export * from "./tables/codes.ts";
export * from "./tables/limits.ts";
export { postedMail, postMail, type Mail } from "./mail.ts";
export {
  dropMail,
  postponeMail,
  purgeCredentials,
  takeMail,
  type WaitingMail,
} from "./tables/mails.ts";
export * from "./tables/tokens.ts";
