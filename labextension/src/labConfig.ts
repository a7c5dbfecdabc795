/** What `GET despejado/config` answers, and how it is read. No JupyterLab in here. */

export interface ILabUser {
  name: string | null;
  uid: number | null;
  gid: number | null;
  groups: string[];
}

export interface ILabImage {
  tag: string | null;
  title: string | null;
  digest: string | null;
  /** Package name to version. */
  versions: Record<string, string>;
}

export interface ILabSize {
  name: string | null;
  /** Limit in cores; null is none, or not known. */
  cpu: number | null;
  /** Limit in bytes; null is none, or not known. */
  memory: number | null;
  /** Sizes with more memory that the user may start, the next one first. */
  bigger: string[];
}

export interface IHubPages {
  homeUrl: string;
  logoutUrl: string;
  /** Where this server is started; null if that is not known. */
  spawnUrl: string | null;
}

export interface IAbnormalStartup {
  code: string;
  title: string;
  advice: string[];
  details: string;
}

export interface ILabConfig {
  user: ILabUser;
  image: ILabImage;
  size: ILabSize;
  serverName: string;
  hub: IHubPages | null;
  startup: IAbnormalStartup | null;
  problem: string | null;
}

type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function part(value: unknown): Json {
  return isObject(value) ? value : {};
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function texts(value: unknown): string[] {
  return Array.isArray(value)
    ? value.filter((item): item is string => typeof item === 'string')
    : [];
}

function textTable(value: unknown): Record<string, string> {
  const table: Record<string, string> = {};
  for (const [key, entry] of Object.entries(part(value))) {
    if (typeof entry === 'string') {
      table[key] = entry;
    }
  }
  return table;
}

function hubPages(value: unknown): IHubPages | null {
  const homeUrl = text(part(value).home_url);
  const logoutUrl = text(part(value).logout_url);
  const spawnUrl = text(part(value).spawn_url);
  return homeUrl && logoutUrl ? { homeUrl, logoutUrl, spawnUrl } : null;
}

function abnormalStartup(value: unknown): IAbnormalStartup | null {
  if (!isObject(value)) {
    return null;
  }
  return {
    code: text(value.code) ?? 'UNKNOWN',
    title: text(value.title) ?? 'The lab did not start normally',
    advice: texts(value.advice),
    details: text(value.details) ?? ''
  };
}

/** Read an answer; whatever is missing or of another type is null or empty. */
export function parseLabConfig(answer: unknown): ILabConfig {
  const top = part(answer);
  const user = part(top.user);
  const image = part(top.image);
  const size = part(top.size);
  return {
    user: {
      name: text(user.name),
      uid: number(user.uid),
      gid: number(user.gid),
      groups: texts(user.groups)
    },
    image: {
      tag: text(image.tag),
      title: text(image.title),
      digest: text(image.digest),
      versions: textTable(image.versions)
    },
    size: {
      name: text(size.name),
      cpu: number(size.cpu),
      memory: number(size.memory),
      bigger: texts(size.bigger)
    },
    serverName: text(top.server_name) ?? '',
    hub: hubPages(top.hub),
    startup: abnormalStartup(top.startup),
    problem: text(top.problem)
  };
}
