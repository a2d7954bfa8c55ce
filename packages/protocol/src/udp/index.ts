// '@tickwire/protocol/udp': the only place in the protocol that opens sockets, reads clocks and sets timers.
export { type KeyText, readKey } from '../session/key-text.ts';
export { loadCrypto, type MemoryRange, type PacketMemory, SodiumCrypto } from '../sodium/index.ts';
export { checkNames, type OptionNames } from '../wire/option-names.ts';
export type {
  DatagramSink,
  DatagramSocket,
  SocketAddress,
  SocketStatistics,
} from './datagram-socket.ts';
export { openSocket, type SocketOptions } from './dgram-socket.ts';
export { type DriverOptions, MachineDriver } from './machine-driver.ts';
export { stretchPassword } from './password.ts';
export { checkOptions, checkWhole, tuningNames } from './shell-options.ts';
