// What the delivery bench asks of everything that it measures: one connection that carries messages reliably and in
// order, from a sender to a receiver.

/** Gets each message, in the order of arrival; the range is valid only during the call. */
export type Received = (bytes: Uint8Array) => void;

/** The end that gets messages. */
export interface ReceivingEnd {
  /** Port on 127.0.0.1. */
  readonly port: number;
  close(): Promise<void>;
}

/** The end that sends them. */
export interface SendingEnd {
  /** Takes a copy of a message; false = no room now. */
  send(bytes: Buffer): boolean;
  close(): Promise<void>;
}

/** One way to deliver messages. */
export interface DeliveryPeer {
  readonly name: string;
  /** What it was told, for the report. */
  readonly settings: string;
  /** Of each datagram, the bytes that authenticate it. */
  readonly tagBytes: number;
  /** Why it cannot run here; undefined = it can. */
  missing(): string | undefined;
  /** Opens an end for one connection. */
  listen(received: Received): Promise<ReceivingEnd>;
  /** Resolves when the connection stands. */
  connect(port: number): Promise<SendingEnd>;
}

/** How often peers that have to be serviced are, as their users would at best. */
export const SERVICE_MS = 1;
