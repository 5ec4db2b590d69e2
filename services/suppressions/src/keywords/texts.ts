import type { Keyword } from "./words.ts";

type Texts = Readonly<Record<Keyword, (name: string) => string>>;

/**
 * What is answered, in the language of the word, else in English. It names the sender, as CTIA's principles (5.1) ask, and fits one SMS with names of ordinary length: only characters of GSM-7.
 */
const texts: Readonly<Record<string, Texts>> = {
  en: {
    stop: (name) => `${name}: you will get no more messages here. Reply START to get them again.`,
    start: (name) => `${name}: you will get messages here again. Reply STOP to end them.`,
    help: (name) =>
      `${name}: your message will be read. Reply STOP to get no more messages, START to get them again.`,
  },
  fr: {
    stop: (name) => `${name} : vous ne recevrez plus de messages ici. START pour reprendre.`,
    start: (name) => `${name} : vous recevrez de nouveau des messages ici. STOP pour arrêter.`,
    help: (name) => `${name} : votre message sera lu. STOP pour arrêter, START pour reprendre.`,
  },
  de: {
    stop: (name) => `${name}: Sie erhalten hier keine Nachrichten mehr. START setzt sie fort.`,
    start: (name) => `${name}: Sie erhalten hier wieder Nachrichten. STOP beendet sie.`,
    help: (name) =>
      `${name}: Ihre Nachricht wird gelesen. STOP beendet Nachrichten, START setzt sie fort.`,
  },
  es: {
    stop: (name) => `${name}: no recibirá más mensajes aquí. Responda START para volver.`,
    start: (name) => `${name}: volverá a recibir mensajes aquí. Responda STOP para terminar.`,
    help: (name) => `${name}: su mensaje será leído. STOP para terminar, START para volver.`,
  },
  pt: {
    stop: (name) => `${name}: não receberá mais mensagens aqui. Responda START para voltar.`,
    start: (name) => `${name}: voltará a receber mensagens aqui. Responda STOP para sair.`,
    help: (name) => `${name}: a sua mensagem será lida. STOP para sair, START para voltar.`,
  },
  it: {
    stop: (name) => `${name}: non riceverà altri messaggi qui. Risponda START per riprendere.`,
    start: (name) => `${name}: riceverà di nuovo messaggi qui. Risponda STOP per terminare.`,
    help: (name) =>
      `${name}: il suo messaggio sarà letto. STOP per terminare, START per riprendere.`,
  },
};

/** The answer to a keyword. `name` is the partner's, at most 60 characters of it. */
export const answerText = (keyword: Keyword, language: string, name: string): string =>
  (texts[language] ?? texts["en"]!)[keyword](name.slice(0, 60));
