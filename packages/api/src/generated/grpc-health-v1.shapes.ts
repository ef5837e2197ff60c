// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.

export interface HealthCheckRequest {
	readonly service: string;
}

export interface HealthCheckResponse {
	readonly status: number;
}
