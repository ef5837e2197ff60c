/** gRPC status codes (grpc.io, "Status codes and their use in gRPC"). */
export const GrpcStatus = {
	ok: 0,
	canceled: 1,
	unknown: 2,
	invalidArgument: 3,
	deadlineExceeded: 4,
	notFound: 5,
	alreadyExists: 6,
	permissionDenied: 7,
	resourceExhausted: 8,
	failedPrecondition: 9,
	aborted: 10,
	outOfRange: 11,
	unimplemented: 12,
	internal: 13,
	unavailable: 14,
	dataLoss: 15,
	unauthenticated: 16,
} as const;
export type GrpcStatus = (typeof GrpcStatus)[keyof typeof GrpcStatus];
