import type { OwnTables } from "@heliograph/runtime";

/**
 * How agents prove who they are, in the platform's database: none of it can be made from the log, and none of it stands there. Passwords are argon2id in PHC form, the
 * secrets of codes are sealed, tokens and recovery codes are hashes.
 */
export const credentialTables: OwnTables = {
  schema: "credentials",
  migrations: [
    `create table credentials.agents (
  agent_id text primary key,
  partner_id text not null,
  password text not null,
  -- Rises with every change that ends sessions (but for the spared one); the log is told of it, up to announced.
  generation int not null default 0,
  announced int not null default 0,
  spared text,
  reason text not null default '',
  totp text,
  totp_pending text,
  totp_step bigint not null default 0,
  recovery text[] not null default '{}',
  recovery_pending text[] not null default '{}',
  changed_at timestamptz not null default now()
);
create index agents_unannounced on credentials.agents (agent_id) where announced < generation;
-- Invitations and password resets.
create table credentials.tokens (
  sha256 text primary key,
  kind text not null check (kind in ('invitation', 'reset')),
  agent_id text not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  created_at timestamptz not null default now()
);
create index tokens_of on credentials.tokens (agent_id, kind);
-- From where an address was signed in with: strangers elsewhere shut nobody out there.
create table credentials.places (
  login text not null,
  place text not null,
  at timestamptz not null default now(),
  primary key (login, place)
);
-- Mail that is not sent yet; sealed, because it holds such tokens.
create table credentials.mails (
  id uuid primary key,
  sealed text not null,
  tries int not null default 0,
  due_at timestamptz not null default now(),
  created_at timestamptz not null default now()
);
-- A crash of the server empties it, which is right for limits.
create unlogged table credentials.limits (key text primary key, tat timestamptz not null) with (fillfactor = 50);`,
  ],
};
