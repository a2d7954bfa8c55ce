// Named exports of the pure protocol. Sockets are behind '@tickwire/protocol/udp'.

export {
  type Archetype,
  type Archetypes,
  archetype,
  type Component,
  component,
  type Effects,
  type Fields,
} from './game/component.ts';
export { defineGame, Game, type GameDefinition } from './game/define-game.ts';
export { type EffectKind, type EffectSink, readEffect } from './game/effect-emitter.ts';
export type {
  FieldValues,
  GameShape,
  InputStatus,
  LiveFace,
  LiveRows,
  ReadonlyRow,
  ReadonlyRows,
  Row,
  SimulateFace,
  ViewFace,
  ViewRows,
} from './game/face.ts';
export {
  EffectsWriter,
  MatchEventReader,
  type MatchEventSink,
  writeEnter,
  writeLeave,
} from './game/match-event.ts';
export { math } from './game/math.ts';
export { SimulationError } from './game/simulation-error.ts';
export { createView } from './game/view.ts';
export { type ArchetypeInputs, World, type WorldOptions } from './game/world.ts';
export type { DeclaredChannel, MessageChannelOptions } from './messages/declared-channel.ts';
export { bytes, type MessageField, real, text } from './messages/message-field.ts';
export {
  type ChannelDeclarations,
  defineMessages,
  type Message,
  type MessageDeclarations,
  MessageSet,
  type MessagesOf,
  type MessageValue,
} from './messages/message-set.ts';
export { blendRow } from './replication/blend.ts';
export {
  angle,
  axis,
  dequantise,
  edge,
  type Field,
  fixed,
  flag,
  int,
  quantise,
  uint,
} from './replication/field.ts';
export { Frame } from './replication/frame.ts';
export { INPUT_REPEAT_TICKS_MAX, INPUTS_MAX, InputBlock } from './replication/input.ts';
export {
  AUDIENCE_ALL,
  AUDIENCE_OWNER,
  AUDIENCE_SERVER,
  Layout,
  type LayoutComponent,
} from './replication/layout.ts';
export { RecordCodec } from './replication/record.ts';
export {
  BASELINE_TICKS_MAX,
  GROUP_HEAD_BITS_MAX,
  RECORD_HEAD_BITS_MAX,
  readTicksBack,
  SNAPSHOT_HEAD_BITS_MAX,
  SnapshotHead,
  writeChangeHead,
  writeGroupHead,
  writeGroupsEnd,
  writeWholeHead,
} from './replication/snapshot.ts';
export { loadRow, quantiseRow, Table } from './replication/table.ts';
export {
  type ClientToken,
  readConnectToken,
  writeConnectToken,
} from './session/connect-token.ts';
export { COOKIE_BYTES, CookieJar, cookieSlice } from './session/cookie.ts';
export {
  acceptFits,
  binderFits,
  type Credential,
  checkCredential,
  checkKey,
  type OpenedProof,
  openProof,
  SEALED_TOKEN_BYTES_MAX,
  sealAccept,
  secretOf,
  Way,
  writeProof,
} from './session/credential.ts';
export { EncodedMessage } from './session/encoded-message.ts';
export { eventLimits, GameChannel, GamePriority } from './session/game-channels.ts';
export {
  ACCEPT_BYTES,
  ACCEPT_HEAD_BYTES,
  CHALLENGE_BYTES,
  type Challenge,
  CREDENTIAL_BYTES_MAX,
  echoesNonce,
  type GameIdentity,
  Hello,
  type HelloFields,
  NONCE_BYTES,
  PADDED_BYTES,
  PROOF_HEAD_BYTES,
  type ProofFields,
  REPLY_BYTES_MAX,
  readAccept,
  readChallenge,
  readRefusal,
  WIRE_VERSION,
  writeAcceptHead,
  writeChallenge,
  writeRefusal,
  writeRequest,
} from './session/handshake.ts';
export {
  agreed,
  createKeyPair,
  deriveKey,
  hashOf,
  KeyChain,
  type KeyPair,
  KeyPurpose,
  keyPairOf,
  NO_SECRET,
  type ProofSecrets,
  RESUME_ID_BYTES,
  type ResumeKeys,
  type SessionKeys,
  sessionKeys,
} from './session/keys.ts';
export {
  type ChannelStatistics,
  MessageChannels,
  type MessageReceiver,
} from './session/message-channels.ts';
export {
  BURST_MAX,
  checkRateLimit,
  RateBucket,
  RateBuckets,
  type RateLimit,
} from './session/rate-bucket.ts';
export { checkServer, splitServer } from './session/server-list.ts';
export {
  type ConnectToken,
  readToken,
  TOKEN_BYTES_MAX,
  TOKEN_ID_BYTES,
  writeToken,
} from './session/token.ts';
export {
  judgeToken,
  TOKEN_LIFETIME_MS_MAX,
  type TokenContext,
  type TokenRefusal,
} from './session/token-verdict.ts';
export { AckBlock, writeAckBlock } from './transport/ack-block.ts';
export { CHANNELS_MAX, type Channel, type ChannelPlan } from './transport/channel.ts';
export type { ConnectionSink } from './transport/close-sequence.ts';
export { Connection } from './transport/connection.ts';
export {
  type ConnectionOptions,
  type ConnectionTuning,
  checkTuning,
  resolveFlushMs,
} from './transport/connection-options.ts';
export type { ConnectionStatistics } from './transport/connection-statistics.ts';
export { createMessageChannel } from './transport/delivery.ts';
export { type EndReason, endReasons } from './transport/end-reason.ts';
export type {
  MessageChannel,
  MessageChannelStatistics,
  MessageSink,
  SendResult,
} from './transport/message-channel.ts';
export { PATH_CHALLENGE_BYTES } from './transport/path-challenge.ts';
export type { RateOptions, RateReason, RateState } from './transport/rate-controller.ts';
export { RateController } from './transport/rate-controller.ts';
export { ReceivedWindow } from './transport/received-window.ts';
export { type LatestSink, ReliableLatestChannel } from './transport/reliable-latest.ts';
export { ReliableOrderedChannel } from './transport/reliable-ordered.ts';
export { RttEstimator } from './transport/rtt.ts';
export { type SentStatistics, SentWindow, type VerdictSink } from './transport/sent-window.ts';
export { decodeBase64url, decodeKey, encodeBase64url } from './wire/base64url.ts';
export { BitReader, BitWriter, varBits } from './wire/bits.ts';
export { ByteReader, ByteWriter, sameBytes, varintBytes } from './wire/bytes.ts';
export type { ChannelLimits, ChannelOptions, DeliveryKind } from './wire/channel-options.ts';
export { deliveryKinds, FRAGMENT_BYTES, resolveChannel } from './wire/channel-options.ts';
export type { Crypto, Sealer, SealerChain } from './wire/crypto.ts';
export { HASH_BYTES, KEY_BYTES, TAG_BYTES, TOKEN_NONCE_BYTES } from './wire/crypto.ts';
export { TickwireError } from './wire/errors.ts';
export { LOOPBACK_SERVER, Loopback, loopback, loopbackAddresses } from './wire/loopback.ts';
export type { AddressBook, Destination, Machine } from './wire/machine.ts';
export { ADDRESS_BYTES_MAX, HOST_BYTES_MAX } from './wire/machine.ts';
export { checkNames } from './wire/option-names.ts';
export {
  DATA_PACKET_BYTES_MIN,
  DATAGRAM_BYTES,
  DATAGRAM_BYTES_MAX,
  HEADER_BYTES,
  PacketKind,
  readConnectionId,
  readKind,
  readWireSequence,
  writeHeader,
} from './wire/packet.ts';
export { randomU32 } from './wire/random.ts';
export { expandSequence } from './wire/sequence.ts';
export { SequenceRing } from './wire/sequence-ring.ts';
export { readText, writeText } from './wire/text.ts';
export { Verdict, verdictNames } from './wire/verdict.ts';
