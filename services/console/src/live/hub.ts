import type { Response } from "express";
import type { Session, Sessions } from "../sessions.ts";
import type { Api } from "../platform-session.ts";
import type { Environment } from "@heliograph/contracts";
import { openTab, type Tab } from "./tab.ts";
import { followFeed, type Topic } from "./topic.ts";
import { openView, type Render, type Rendered, type View } from "./view.ts";

const beatMs = 15_000;
/** A browser opens six connections to a host over HTTP/1.1: one stays free for the next page. */
const maxTabsOfSession = 5;
/** A tab holds a socket and some kilobytes. */
const maxTabs = 2_000;
/** A feed is followed a while longer: whoever goes from page to page joins one that is known. */
const lingerMs = 30_000;
/** What a page shows may be older than its stamp by this much. */
const slackMs = 2_000;

const ended = "Your session has ended. Sign in again to go on.";

/** Who wants to see a page as it changes. */
export type Joining = {
  readonly session: Session;
  readonly environment: Environment;
  readonly api: Api;
  /** Path and query of the page. */
  readonly page: string;
  readonly on: ReadonlySet<string>;
  /** When the tab was last told what there is, in milliseconds; 0 where that is not known. */
  readonly since: number;
  readonly render: () => Promise<Rendered | undefined>;
};

type Member = Joining & { readonly tab: Tab; leave(): void };
type Place = { readonly topic: Topic; readonly views: Map<string, View>; timer?: NodeJS.Timeout };

export type Hub = {
  join(joining: Joining, response: Response): void;
  /** Ends the tabs of a session that was signed out here. */
  leave(session: Session): void;
};

type Members = ReadonlyMap<Tab, Member>;
/** Ends the tabs of those among them whose session is over. */
type EndOver = (among: Iterable<Member>) => Promise<void>;

const membersIn = (members: Members, tabs: Iterable<Tab>): readonly Member[] =>
  [...tabs].flatMap((tab) => members.get(tab) ?? []);

/** Nobody is told anything behind the end of a session, wherever it was ended. */
const ender =
  (sessions: Sessions, members: Members): EndOver =>
  async (among) => {
    const asked = new Map(
      [...among].map(({ session }) => [session.sha256.toString("hex"), session]),
    );
    if (asked.size === 0) return;
    const standing = await sessions.standing([...asked.values()]);
    for (const member of members.values()) {
      const name = member.session.sha256.toString("hex");
      if (asked.has(name) && !standing.has(name)) member.tab.end(ended);
    }
  };

/** A feed for each partner and world that somebody looks at, and the views of it. */
function openPlaces(members: Members, endOver: EndOver, stopping: AbortSignal) {
  const places = new Map<string, Place>();
  const open = (): Place => {
    const views = new Map<string, View>();
    const tabs = (): readonly Tab[] => [...views.values()].flatMap((view) => [...view.tabs]);
    const topic = followFeed({
      api: () => membersIn(members, tabs())[0]?.api,
      happened(what) {
        for (const view of views.values()) view.happened(what);
      },
      failed: () => endOver(membersIn(members, tabs())),
    });
    return { topic, views };
  };
  return {
    of({ environment, session }: Joining): Place {
      const name = `${environment} ${session.data.who.partner.id}`;
      const place = places.get(name) ?? open();
      places.set(name, place);
      return place;
    },
    /** After a while without anybody. */
    closeSoon(place: Place): void {
      clearTimeout(place.timer);
      if (stopping.aborted) return;
      place.timer = setTimeout(() => {
        if (place.views.size > 0) return;
        place.topic.close();
        for (const [name, found] of places) if (found === place) places.delete(name);
      }, lingerMs);
      place.timer.unref();
    },
    close(): void {
      for (const { topic, timer } of places.values()) {
        clearTimeout(timer);
        topic.close();
      }
    },
  };
}

/** A page as one agent sees it. */
function viewIn(place: Place, { session, page, on }: Joining, render: Render): View {
  const name = `${session.data.who.id} ${page}`;
  const view = place.views.get(name) ?? openView({ on, render });
  place.views.set(name, view);
  return view;
}

/** Who looks at what. One feed is read for a partner, and a page is made once for all tabs in which one agent looks at it. Ends with `stopping`. */
export function openHub(sessions: Sessions, stopping: AbortSignal): Hub {
  const members = new Map<Tab, Member>();
  const endOver = ender(sessions, members);
  const places = openPlaces(members, endOver, stopping);

  const render: Render = async (tabs) => {
    await endOver(membersIn(members, tabs));
    return membersIn(members, tabs)[0]?.render();
  };
  const join = (joining: Joining, response: Response): void => {
    const { session, since } = joining;
    const tab = openTab(response, session.csrf);
    if (stopping.aborted || members.size >= maxTabs) return tab.cut();
    const own = [...members.values()].filter(({ session: other }) => same(other, session));
    if (own.length >= maxTabsOfSession)
      own[0]!.tab.end(`Paused: at most ${maxTabsOfSession} tabs are kept up to date.`);
    const place = places.of(joining);
    const view = viewIn(place, joining, render);
    const leave = (): void => {
      if (!members.delete(tab)) return;
      view.tabs.delete(tab);
      if (view.tabs.size > 0) return;
      view.close();
      for (const [name, found] of place.views) if (found === view) place.views.delete(name);
      if (place.views.size === 0) places.closeSoon(place);
    };
    members.set(tab, { ...joining, tab, leave });
    response.once("close", leave);
    view.join(tab, place.topic.changedSince(view.on(), since - slackMs));
  };
  const beating = setInterval(() => {
    endOver(members.values())
      .then(() => {
        for (const { tab } of members.values()) tab.beat(Date.now());
      })
      // The sessions' table is away: silence makes the tabs come back.
      .catch(() => undefined);
  }, beatMs);
  beating.unref();
  const stop = (): void => {
    clearInterval(beating);
    places.close();
    for (const { tab, leave } of members.values()) {
      tab.cut();
      leave();
    }
  };
  stopping.addEventListener("abort", stop, { once: true });
  return {
    join,
    leave(session) {
      for (const member of members.values())
        if (same(member.session, session)) member.tab.end(ended);
    },
  };
}

const same = (one: Session, other: Session): boolean => one.sha256.equals(other.sha256);
