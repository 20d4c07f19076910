import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';

/** How to reach the hub. What is not given comes from the environment, as in Python's huggingface_hub. */
export interface HubOptions {
  /** Branch, tag or commit; default `main`. */
  readonly revision?: string | undefined;
  /** Access token; default HF_TOKEN, or the file that `hf auth login` writes. */
  readonly token?: string | undefined;
  /** Address of the hub; default HF_ENDPOINT, or https://huggingface.co. */
  readonly endpoint?: string | undefined;
  /** Cache shared with Python; default HF_HUB_CACHE, or `hub` in HF_HOME, which is ~/.cache/huggingface. */
  readonly cacheDirectory?: string | undefined;
  /** Hears what is fetched, in whole lines, and how far it is. */
  readonly report?: ((line: string) => void) | undefined;
  /** Ends the transfer; what arrived is kept, and the next call goes on from there. */
  readonly signal?: AbortSignal | undefined;
  /** Files fetched at a time, from 1; default 4. */
  readonly parallel?: number | undefined;
  /** Wait before a failed request is tried again, in milliseconds; it doubles each time; default 500. */
  readonly retryDelayMs?: number | undefined;
  /** Span in which at least a kilobyte has to arrive, in milliseconds; else the request is tried again. Default 60 000. */
  readonly stallMs?: number | undefined;
}

/** Where the hub and its cache are. */
export interface HubSettings {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly cacheDirectory: string;
  /** True when HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids requests. */
  readonly isOffline: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Settings from the options, then the environment, then the defaults of Python's huggingface_hub.
 * @throws MetaapoError with code `config` when the token cannot be sent, or the endpoint is no address or holds a
 * password; neither is shown
 */
export function hubSettings(options: HubOptions, environment: Environment = process.env): HubSettings {
  const given = (...names: string[]): string | undefined => names.map((name) => environment[name]).find(Boolean);
  const home = given('HF_HOME') ?? join(given('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'huggingface');
  const tokenFile = given('HF_TOKEN_PATH') ?? join(expanded(home), 'token');
  return {
    endpoint: address(options.endpoint ?? given('HF_ENDPOINT') ?? 'https://huggingface.co'),
    token: sendable(options.token ?? given('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN') ?? contentOf(expanded(tokenFile))),
    cacheDirectory: expanded(
      options.cacheDirectory ?? given('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE') ?? join(home, 'hub'),
    ),
    isOffline: isTrue(given('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE')),
  };
}

/** The address without a slash at its end. */
function address(endpoint: string): string {
  const refuse = (summary: string): never => {
    throw new MetaapoError('config', summary, {
      where: 'HF_ENDPOINT',
      expected: 'an address such as https://huggingface.co, without user name and password',
      got: 'another one, not shown here',
      remedy: 'Correct it; give the access token in HF_TOKEN',
    });
  };
  const url = URL.canParse(endpoint) ? new URL(endpoint) : refuse('the address of the hub cannot be read');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') refuse('the address of the hub cannot be read');
  if (url.username !== '' || url.password !== '') refuse('the address of the hub holds a user name or a password');
  return endpoint.replace(/\/+$/, '');
}

function expanded(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'on', 'yes', 'true'].includes(value?.toLowerCase() ?? '');
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** A header with a stray character would be refused by an error that quotes it. */
function sendable(token: string | undefined): string | undefined {
  const trimmed = token?.trim();
  if (!trimmed) return undefined;
  if (/^[\x21-\x7e]+$/.test(trimmed)) return trimmed;
  throw new MetaapoError('config', 'the access token holds characters that no token has', {
    where: 'HF_TOKEN',
    expected: 'a token such as hf_…, without spaces or line breaks inside',
    remedy: 'Copy it again from the hub’s settings',
  });
}
