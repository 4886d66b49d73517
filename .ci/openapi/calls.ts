// The ordinary calls, through the types that openapi-typescript makes of the document. It compiles, or the document is wrong.
import createClient from "openapi-fetch";
import type { components, paths } from "./bridge.js";

const { BRIDGE_URL, USER_TOKEN, ADMIN_TOKEN, USER_ID, GATEWAY_KEY } = process.env as Record<string, string>;

const client = (token: string) =>
  createClient<paths>({ baseUrl: BRIDGE_URL, headers: { Authorization: `Bearer ${token}` } });
const [user, admin] = [client(USER_TOKEN), client(ADMIN_TOKEN)];

function got<T>(answer: { data?: T; error?: components["schemas"]["ProblemDetails"]; response: Response }): T {
  if (answer.data === undefined) throw new Error(`${answer.response.url} answered ${answer.response.status}: ${answer.error?.detail}`);
  return answer.data;
}

function equal(actual: unknown, expected: unknown) {
  if (actual !== expected) throw new Error(`${actual} is not ${expected}`);
}

equal(got(await user.GET("/api/v1/credits/balance")).credits_remaining, "5.000000");
const allocated = got(await admin.POST("/api/v1/credits/allocate", {
  body: { user_id: USER_ID, amount: "10.5", source: "order-1", type: "purchase", metadata: { order: 1, items: ["a"] } },
  params: { header: { "Idempotency-Key": "order-1" } },
}));
equal(allocated.balance, "15.500000");
// An amount may be a number too, and optional members may be left out.
equal(got(await admin.POST("/api/v1/credits/deduct", { body: { user_id: USER_ID, amount: 0.5, service: "chat" } })).balance, "15.000000");
const tracked = got(await user.POST("/api/v1/credits/usage/track", { body: { service: "chat", tokens: 12, cost: 1 } }));
equal(tracked.tokens! + 1, 13);
got(await admin.POST("/api/v1/credits/refund", { body: { user_id: USER_ID, amount: "1", reason: "late", refunds: tracked.id } }));
got(await admin.POST("/api/v1/credits/adjust", { body: { user_id: USER_ID, amount: "-2", reason: "chargeback" } }));
equal(got(await user.GET("/api/v1/llm/credits")).credits_remaining, "13.000000");

const page = await user.GET("/api/v1/credits/transactions", { params: { query: { limit: 2, transaction_type: "usage" } } });
equal(got(page)[0].transaction_type, "usage");
equal(got(await user.GET("/api/v1/llm/credits/history", { params: { query: { limit: 1 } } })).total + 0, 6);
equal(got(await user.GET("/api/v1/credits/usage/summary")).services["chat"].events, 2);
equal(got(await user.GET("/api/v1/credits/tiers")).some((tier) => tier.tier === "free"), true);
got(await admin.POST("/api/v1/credits/tiers/switch", { body: { user_id: USER_ID, new_tier: "starter" } }));
got(await admin.POST("/api/v1/admin/users/{id}/initialize", { params: { path: { id: USER_ID } } }));

const run = got(await admin.POST("/api/v1/admin/reconciliations", { body: { dry_run: true } }));
equal(got(await admin.GET("/api/v1/admin/reconciliations/{id}", { params: { path: { id: run.id } } })).dry_run, true);

const refused = await admin.POST("/api/v1/credits/deduct", { body: { user_id: USER_ID, amount: 1_000_000, service: "chat" } });
equal(refused.response.status, 402);
equal(refused.error?.needed, "1000000.000000");
const wrong = await admin.POST("/api/v1/credits/deduct", { body: { user_id: USER_ID, amount: "-1", service: "chat" } });
equal(wrong.error?.errors?.["amount"][0], "is negative");

const gateway = createClient<paths>({ baseUrl: BRIDGE_URL, headers: { "x-api-key": GATEWAY_KEY } });
const decision = await gateway.POST("/beta/litellm_basic_guardrail_api", { body: { request_data: { user_api_key_user_id: USER_ID } } });
equal(got(decision).action, "NONE");
equal((await gateway.POST("/usage/litellm", { body: [] })).response.status, 200);
equal((await user.GET("/authz")).response.status, 200);
console.log("The TypeScript client did the ordinary calls.");
