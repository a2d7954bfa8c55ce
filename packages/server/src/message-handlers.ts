// What user code does with messages: one handler a name, for values and for values taken back.

import { type MessageDeclarations, type MessageSet, TickwireError } from '@tickwire/protocol';

/** `content`: a value, or the key of a value that is no more. */
type Handler<S> = (session: S, content: never) => void;

/** Calls user code on behalf of a session. */
type Guard<S> = (session: S, where: string, call: () => void) => void;

/** See the head of the file. */
export class MessageHandlers<S extends { readonly ended: unknown }> {
  readonly #set: MessageSet<MessageDeclarations>;
  readonly #guard: Guard<S>;
  readonly #onValue = new Map<string, Handler<S>>();
  readonly #onForgotten = new Map<string, Handler<S>>();
  #unheard = 0;

  constructor(set: MessageSet<MessageDeclarations>, guard: Guard<S>) {
    this.#set = set;
    this.#guard = guard;
  }

  /** Messages, and values taken back, for which no handler was set; they are gone. */
  get unheard(): number {
    return this.#unheard;
  }

  /** The last one of a name counts. Throws 'message-invalid' for a name that was not declared. */
  onValue(name: string, handler: Handler<S>): void {
    this.#check(name);
    this.#onValue.set(name, handler);
  }

  /** The last one of a name counts. Throws 'message-invalid' for a name that was not declared. */
  onForgotten(name: string, handler: (session: S, key: number) => void): void {
    this.#check(name);
    this.#onForgotten.set(name, handler as Handler<S>);
  }

  value(session: S, name: string, value: unknown): void {
    this.#call(this.#onValue.get(name), session, 'onMessage', value);
  }

  forgotten(session: S, name: string, key: number): void {
    this.#call(this.#onForgotten.get(name), session, 'onForget', key);
  }

  #call(handler: Handler<S> | undefined, session: S, where: string, content: unknown): void {
    if (handler === undefined) this.#unheard++;
    else if (session.ended === undefined) {
      this.#guard(session, where, () => handler(session, content as never));
    }
  }

  #check(name: string): void {
    if (this.#set.kindOf(name) >= 0) return;
    throw new TickwireError('message-invalid', `there is no message '${name}'`);
  }
}
