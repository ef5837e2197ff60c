import { describe } from "vitest";
import { createGrpcJsFront } from "../../src/front/grpc-js-front.ts";
import { testFront } from "./front.suite.ts";

describe("the seam served by grpc-js", () => testFront(createGrpcJsFront));
