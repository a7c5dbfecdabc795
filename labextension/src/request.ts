import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { isObject } from './labConfig';

/** An answer that is not a success; `message` is for the user, `reason` for the program. */
export class RequestError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly reason: string,
    readonly details: Record<string, unknown>
  ) {
    super(message);
    this.name = 'RequestError';
  }
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return (await response.json()) as unknown;
  } catch {
    return null;
  }
}

/**
 * Call the server side of this extension.
 *
 * @throws RequestError for every answer but a success, and if there is none.
 */
export async function requestLab(
  settings: ServerConnection.ISettings,
  path: string,
  body?: Record<string, unknown>
): Promise<unknown> {
  const url = URLExt.join(settings.baseUrl, 'despejado', path);
  const init: RequestInit =
    body === undefined
      ? { method: 'GET', cache: 'no-store' }
      : { method: 'POST', body: JSON.stringify(body) };
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(url, init, settings);
  } catch {
    throw new RequestError(
      'The lab does not answer. It may have been stopped, or the network is down.',
      0,
      'no-answer',
      {}
    );
  }
  const answer = await readJson(response);
  if (response.ok) {
    return answer;
  }
  const details = isObject(answer) ? answer : {};
  const { message, reason } = details;
  throw new RequestError(
    typeof message === 'string' && message !== ''
      ? message
      : `The lab answered ${response.status} ${response.statusText}.`,
    response.status,
    typeof reason === 'string' ? reason : 'error',
    details
  );
}
