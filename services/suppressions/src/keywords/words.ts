/** What a person asks for with one word. */
export type Keyword = "stop" | "start" | "help";

/** The words of a language. `exact` are those that mean something else without their accents. */
type Words = Readonly<Record<Keyword, readonly string[]>> & { readonly exact?: readonly string[] };

/**
 * What people write, by language. English: 47 CFR 64.1200(a)(10) names stop, quit, end, revoke, opt out, cancel and unsubscribe as revocations that need no interpretation; CTIA's
 * Messaging Principles (2023, 5.1.3) and the handsets add stop all, unstop, help and info. `ret` and `onay` are the words of Türkiye's message management system (İYS), `tc`
 * (từ chối) that of Vietnam's decree 91/2020/NĐ-CP, `td` (退订) what Chinese networks ask for, `unreg` and `reg` what Indonesian ones do, `arret` what Canada's (CWTA) do, `baja` and
 * `alta` what Spanish-speaking ones do. The others are the plain words for stop, unsubscribe and cancel, for start, and for help. A word that is an everyday answer by itself, such as yes or no, is
 * in none of them.
 */
export const words: Readonly<Record<string, Words>> = {
  en: {
    stop: [
      "stop",
      "stop all",
      "stopall",
      "quit",
      "end",
      "revoke",
      "opt out",
      "optout",
      "cancel",
      "unsubscribe",
    ],
    start: ["start", "unstop", "opt in", "optin", "subscribe", "resume"],
    help: ["help", "info"],
  },
  fr: {
    stop: ["arrêt", "arrêter", "arrêtez", "désabonner", "désinscrire", "désinscription", "annuler"],
    start: ["démarrer", "reprendre", "réabonner"],
    help: ["aide", "aidez moi"],
  },
  de: {
    stop: ["stopp", "abmelden", "abbestellen", "beenden", "austragen"],
    start: ["anmelden", "starten"],
    help: ["hilfe"],
  },
  es: {
    stop: ["alto", "baja", "parar", "detener", "cancelar", "darse de baja", "salir"],
    start: ["alta", "iniciar", "comenzar", "reanudar"],
    help: ["ayuda"],
  },
  pt: {
    stop: ["pare", "sair", "remover", "descadastrar", "cancelar inscrição"],
    start: ["começar", "voltar"],
    help: ["ajuda"],
  },
  it: {
    stop: ["ferma", "fermare", "basta", "annulla", "disiscrivi", "disiscrivimi", "cancellami"],
    start: ["inizia", "avvia", "riprendi"],
    help: ["aiuto"],
  },
  nl: {
    stop: ["stoppen", "afmelden", "uitschrijven"],
    start: ["aanmelden", "hervatten"],
    help: ["hulp"],
  },
  pl: {
    stop: ["wypisz", "wypisz mnie", "rezygnuję", "zatrzymaj", "anuluj", "koniec"],
    start: ["zacznij", "wznów", "zapisz"],
    help: ["pomoc"],
  },
  tr: {
    stop: ["ret", "iptal", "dur", "durdur", "aboneliği iptal et"],
    start: ["onay", "başla", "başlat"],
    help: ["yardım"],
  },
  sv: {
    stop: ["sluta", "avsluta", "avregistrera", "avanmäl"],
    start: ["starta", "börja"],
    help: ["hjälp"],
  },
  nb: { stop: ["avslutt", "meld av", "avmeld"], start: ["begynn"], help: ["hjelp"] },
  da: { stop: ["afmeld", "frameld"], start: ["tilmeld"], help: ["hjælp"] },
  fi: { stop: ["lopeta", "peruuta", "pysäytä"], start: ["aloita"], help: ["apua", "ohje"] },
  cs: { stop: ["zrušit", "odhlásit", "konec"], start: ["začít", "přihlásit"], help: [] },
  sk: { stop: ["zrušiť", "odhlásiť"], start: ["začať", "prihlásiť"], help: [] },
  hu: { stop: ["leiratkozás", "leiratkozom", "leállítás"], start: ["indítás"], help: ["segítség"] },
  ro: { stop: ["oprește", "opriți", "dezabonare"], start: ["pornește"], help: ["ajutor"] },
  hr: { stop: ["odjava", "prekini", "zaustavi"], start: ["prijava", "pokreni"], help: [] },
  ru: {
    stop: ["стоп", "отписаться", "отписка", "отпишите", "отмена"],
    start: ["старт", "начать", "подписаться"],
    help: ["помощь"],
  },
  uk: {
    stop: ["відписатися", "відписка", "скасувати", "відміна"],
    start: ["почати", "підписатися"],
    help: ["допомога"],
  },
  bg: { stop: ["спри", "откажи", "отпиши"], start: ["начало"], help: ["помощ"] },
  el: {
    stop: ["στοπ", "σταμάτα", "διακοπή", "διαγραφή", "απεγγραφή"],
    start: ["έναρξη", "εκκίνηση"],
    help: ["βοήθεια"],
  },
  ar: {
    stop: ["توقف", "قف", "إيقاف", "أوقف", "إلغاء", "إلغاء الاشتراك"],
    start: ["ابدأ", "بدء", "اشتراك"],
    help: ["مساعدة"],
  },
  fa: { stop: ["لغو", "لغو اشتراک"], start: ["شروع"], help: ["راهنما", "کمک"] },
  ur: { stop: ["بند", "بند کریں", "روکیں"], start: ["شروع کریں"], help: ["مدد"] },
  he: { stop: ["עצור", "הסר", "הסרה", "הסירו אותי"], start: ["התחל"], help: ["עזרה"] },
  hi: {
    stop: ["रोकें", "रोको", "बंद", "बंद करें", "बंद करो", "रुकें"],
    start: ["शुरू", "शुरू करें"],
    help: ["मदद", "सहायता"],
  },
  bn: { stop: ["বন্ধ", "বন্ধ করুন"], start: ["শুরু"], help: ["সাহায্য"] },
  zh: {
    stop: ["停止", "退订", "退訂", "取消", "取消订阅", "取消訂閱", "td"],
    start: ["开始", "订阅", "訂閱"],
    help: ["帮助", "幫助"],
  },
  ja: {
    stop: ["ストップ", "配信停止", "解除", "中止", "退会"],
    start: ["開始", "再開", "スタート"],
    help: ["ヘルプ", "助けて"],
  },
  ko: {
    stop: ["중지", "거부", "수신거부", "수신 거부", "해지", "정지"],
    start: ["시작", "재개"],
    help: ["도움", "도움말"],
  },
  th: { stop: ["หยุด", "ยกเลิก"], start: ["เริ่ม"], help: ["ช่วยเหลือ"] },
  id: { stop: ["berhenti", "henti", "batal", "unreg"], start: ["mulai", "reg"], help: ["bantuan"] },
  fil: { stop: ["itigil", "ihinto"], start: ["simulan"], help: ["tulong"] },
  sw: { stop: ["acha", "simamisha"], start: ["anza"], help: ["msaada"] },
  // Without accents these are "right", a name, and "to help" among others.
  vi: {
    stop: ["tc", "từ chối", "dừng", "hủy", "huỷ"],
    start: ["bắt đầu", "đăng ký"],
    help: ["trợ giúp"],
    exact: ["từ chối", "dừng", "hủy", "huỷ"],
  },
};
