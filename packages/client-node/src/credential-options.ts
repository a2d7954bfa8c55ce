// What users of `connect` say about themselves and about the server, turned into what the dialer takes.

import {
  type ClientToken,
  type Credential,
  decodeBase64url,
  encodeBase64url,
  KEY_BYTES,
  RESUME_ID_BYTES,
  type ResumeKeys,
  TickwireError,
  Way,
} from '@tickwire/protocol';
import { type KeyText, type OptionNames, readKey, stretchPassword } from '@tickwire/protocol/udp';

/** How a client shows who it is: at most one of `password` and `presharedKey`, and neither with a connect token. */
export interface CredentialOptions {
  /** The server's password. */
  readonly password?: string;
  /** The server's pre-shared key: 32 bytes or their base64url. */
  readonly presharedKey?: KeyText;
  /**
   * The server's public identity key, 32 bytes or their base64url. Whoever has another one is not believed. Default: that
   * of the connect token; else none, and then whoever sits in between can pass for the server.
   */
  readonly serverKey?: KeyText;
  /**
   * What `client.resumeState()` gave: takes the seat of that session again, in place of any other credential. If two do so
   * at the same time, one of them may be connected for a moment before it ends with 'replaced' or 'resume-invalid'.
   */
  readonly resume?: string;
}

/** Names of the options, for the check of all options. */
export const credentialNames = {
  password: true,
  presharedKey: true,
  serverKey: true,
  resume: true,
} satisfies OptionNames<CredentialOptions>;

/** What the dialer takes. Rejects with 'option-invalid'. */
export async function resolveCredential(
  { password, presharedKey, resume }: CredentialOptions,
  token: ClientToken | undefined,
  gameIdHash: number,
): Promise<Credential> {
  const given = [password, presharedKey, token].filter((way) => way !== undefined);
  if (given.length > 1) {
    const text = 'password, presharedKey and a connect token exclude each other; give one';
    throw new TickwireError('option-invalid', text);
  }
  if (resume !== undefined) return { way: Way.resume, ...readResumeState(resume) };
  if (token !== undefined) return { way: Way.token, secret: token.secret, sealed: token.sealed };
  if (presharedKey !== undefined) {
    return { way: Way.key, secret: readKey('presharedKey', presharedKey) };
  }
  if (password === undefined) return { way: Way.open };
  return { way: Way.key, secret: await stretchPassword(password, gameIdHash) };
}

/** The identity key that the server must have; undefined = any. Throws 'option-invalid'. */
export function resolveServerKey(
  { serverKey }: CredentialOptions,
  token: ClientToken | undefined,
): Uint8Array | undefined {
  return serverKey === undefined ? token?.serverKey : readKey('serverKey', serverKey);
}

const RESUME_PREFIX = 'twr2.';

/** What resumes a session, as text: the id, then the secret, base64url. */
export function writeResumeState({ id, secret }: ResumeKeys): string {
  const bytes = new Uint8Array(RESUME_ID_BYTES + KEY_BYTES);
  bytes.set(id);
  bytes.set(secret, RESUME_ID_BYTES);
  return RESUME_PREFIX + encodeBase64url(bytes);
}

function readResumeState(text: string): ResumeKeys {
  const ours = typeof text === 'string' && text.startsWith(RESUME_PREFIX);
  const bytes = ours ? decodeBase64url(text.slice(RESUME_PREFIX.length)) : undefined;
  if (bytes?.length !== RESUME_ID_BYTES + KEY_BYTES) {
    throw new TickwireError('option-invalid', 'resume is not what client.resumeState() gives');
  }
  return { id: bytes.slice(0, RESUME_ID_BYTES), secret: bytes.slice(RESUME_ID_BYTES) };
}
