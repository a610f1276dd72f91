import type { Violation } from './migrations.ts';

export interface ClientRole {
  name: string;
  exists: boolean;
  canLogIn: boolean;
  superuser: boolean;
  /** The runner's role is a member of it, so that it may end its sessions. */
  member: boolean;
  /** The runner's role has ADMIN on it. */
  admin: boolean;
  /** Roles that log in with what it may do: neither superusers, nor the runner's own, nor named as client roles too. */
  members: string[];
}

/** Who is to fence them off, and where. */
export interface Fencer {
  role: { name: string; superuser: boolean; createRole: boolean };
  server: { major: number };
}

/** What stands against fencing a client role off. */
export function judgeClientRole({ role, server }: Fencer, client: ClientRole): Violation[] {
  const refuse = (message: string): Violation[] => [{ reason: 'InsufficientPrivilege', message }];
  if (!client.exists) return refuse(`the role "${client.name}" of database.clientRoles does not exist`);
  if (client.name === role.name)
    return refuse(
      `"${client.name}" of database.clientRoles is the role of the runner’s own URL: leave database.clientRoles empty where the application shares the owner’s role`,
    );
  if (!client.canLogIn && client.members.length > 0)
    return refuse(
      `"${client.name}" of database.clientRoles cannot log in, but its members can: NOLOGIN for it would keep nobody out. Name ${listOf(client.members)} there instead`,
    );
  if (role.superuser) return [];
  if (client.superuser)
    return refuse(
      `"${client.name}" of database.clientRoles is a superuser, whom no fence can keep out: ALTER ROLE "${client.name}" NOSUPERUSER`,
    );
  const SINCE_ADMIN_IS_NEEDED = 16;
  if (!role.createRole)
    return refuse(
      `role "${role.name}" may not set "${client.name}" NOLOGIN: ALTER ROLE "${role.name}" CREATEROLE${server.major >= SINCE_ADMIN_IS_NEEDED ? `; GRANT "${client.name}" TO "${role.name}" WITH ADMIN OPTION` : ''}`,
    );
  if (server.major >= SINCE_ADMIN_IS_NEEDED && !client.admin)
    return refuse(
      `role "${role.name}" may not set "${client.name}" NOLOGIN: GRANT "${client.name}" TO "${role.name}" WITH ADMIN OPTION`,
    );
  return [];
}

/** Whom the fence will not keep out, for people to know before the outage. */
export function warnOfOpenings({
  database,
  clientRoles,
  otherLogins,
}: {
  database: string;
  clientRoles: ClientRole[];
  otherLogins: string[];
}): string[] {
  const others =
    otherLogins.length === 0
      ? []
      : [
          `The fence does not keep out ${listOf(otherLogins)}, who may log in to database "${database}" and ${otherLogins.length > 1 ? 'are' : 'is'} not among database.clientRoles: what is written so during the outage is lost when the restore point is put back. Name every role that writes there, or take its CONNECT away (REVOKE CONNECT ON DATABASE "${database}" FROM PUBLIC), or leave database.clientRoles empty: then CONNECTION LIMIT 0 keeps everybody out but superusers.`,
        ];
  const idle = clientRoles
    .filter(({ exists, canLogIn, members }) => exists && !canLogIn && members.length === 0)
    .map(({ name }) => `"${name}" of database.clientRoles cannot log in: the fence has nothing to do for it.`);
  return [...others, ...idle];
}

const MOST_NAMES = 10;

function listOf(names: string[]): string {
  const quoted = names.slice(0, MOST_NAMES).map((name) => `"${name}"`);
  return [...quoted, ...(names.length > MOST_NAMES ? [`${names.length - MOST_NAMES} more`] : [])].join(', ');
}
