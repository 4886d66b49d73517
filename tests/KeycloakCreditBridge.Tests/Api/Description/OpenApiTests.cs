using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Api.Description;

public sealed class OpenApiTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Every_route_is_in_the_document_with_each_of_its_methods()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var paths = (await fixture.GetAsync("openapi/v1.json", null)).Json["paths"]!.AsObject();
        foreach (var route in fixture.Bridge.Services.GetServices<EndpointDataSource>().SelectMany(source => source.Endpoints)
            .OfType<RouteEndpoint>())
        {
            var path = Regex.Replace(route.RoutePattern.RawText!.TrimEnd('/'), @"/\{\*\*.*|(?<=\{\w+):\w+", "");
            Assert.True(paths[path] is not null, $"{path} is not described.");
            foreach (var method in (route.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET"]).Except(["HEAD"]))
                Assert.True(paths[path]![method.ToLowerInvariant()] is not null, $"{method} {path} is not described.");
        }
    }

    [Fact]
    public async Task Every_operation_has_a_name_of_its_own_and_names_fields_as_they_are_sent()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var document = (await fixture.GetAsync("openapi/v1.json", null)).Json;
        string?[] names = [.. document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject())
            .Select(operation => (string?)operation.Value!["operationId"])];
        Assert.Equal(names.Distinct(), names);
        Assert.All(names, Assert.NotNull);
        var schemas = document["components"]!["schemas"]!;
        Assert.Equal(["user_id", "amount", "service"], schemas["DeductShape"]!["required"]!.AsArray().Select(name => (string?)name));
        Assert.Null(schemas["RunShape"]!["required"]);
        Assert.Equal("integer", (string?)schemas["HistoryShape"]!["properties"]!["total"]!["type"]);
        Assert.NotNull(schemas["DeductShape"]!["properties"]!["metadata"]!["additionalProperties"]);
        Assert.Equal(
            ["string", "number"],
            schemas["DeductShape"]!["properties"]!["amount"]!["oneOf"]!.AsArray().Select(way => (string?)way!["type"]));
    }

    [Fact]
    public async Task The_document_is_made_once_and_names_no_host()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var document = fixture.Bridge.Services.GetRequiredService<ApiDocument>();
        Assert.Equal("/", (string?)(await fixture.GetAsync("openapi/v1.json", null)).Json["servers"]![0]!["url"]);
        Assert.Same(await document.TextAsync(), await document.TextAsync());
    }

    [Fact]
    public async Task The_document_describes_every_route_with_its_answers_and_the_answers_have_its_fields()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var document = (await fixture.GetAsync("openapi/v1.json", null)).Json;
        var paths = document["paths"]!.AsObject();
        foreach (var (path, method) in ((string, string)[])[
            ("credits/balance", "get"), ("credits/allocate", "post"), ("credits/refund", "post"), ("credits/adjust", "post"),
            ("credits/deduct", "post"), ("credits/transactions", "get"),
            ("credits/usage/track", "post"), ("credits/usage/summary", "get"), ("credits/usage/by-model", "get"),
            ("credits/usage/by-service", "get"),
            ("credits/tiers", "get"), ("credits/tiers/compare", "get"), ("credits/tiers/switch", "post"), ("llm/credits", "get"),
            ("llm/credits/history", "get"), ("admin/users/{id}/initialize", "post"), ("admin/reconciliations", "get"),
            ("admin/reconciliations", "post"),
            ("admin/reconciliations/{id}", "get"), ("admin/reconciliations/{id}", "delete")])
        {
            var operation = paths[$"/api/v1/{path}"]?[method];
            var isLater = path == "admin/reconciliations" && method == "post";
            Assert.Equal(isLater, operation?["responses"]?["202"] is not null);
            Assert.Equal(!isLater, operation?["responses"]?["200"] is not null);
            Assert.True(operation?["responses"]?[isLater ? "202" : "200"]?["content"]?["application/json"]?["schema"] is not null,
                $"{method} {path} has no schema.");
            foreach (var status in (string[])["400", "401", "403", "404", "429", "503"])
                Assert.NotNull(operation["responses"]![status]?["content"]?["application/problem+json"]);
            Assert.Equal(method == "post" && !path.EndsWith("initialize", StringComparison.Ordinal), operation["requestBody"] is not null);
        }

        Assert.Contains(
            paths["/api/v1/credits/deduct"]!["post"]!["parameters"]!.AsArray(),
            parameter => (string)parameter!["name"]! == "Idempotency-Key");
        Assert.NotNull(document["components"]!["schemas"]!["RefundShape"]!["properties"]!["refunds"]);
        Assert.NotNull(document["components"]!["schemas"]!["AdjustShape"]!["properties"]!["allow_negative"]);
        Assert.Equal("bearer", (string)document["components"]!["securitySchemes"]!["bearer"]!["scheme"]!);

        var token = fixture.TokenOf("u1");
        await fixture.PostAsync(CreditsFixture.Track, token, new JsonObject { ["service"] = "s", ["cost"] = 1 });
        await HasFieldsAsync("BalanceShape", CreditsFixture.Balance, answer => answer);
        await HasFieldsAsync("LlmBalanceShape", "api/v1/llm/credits", answer => answer);
        await HasFieldsAsync("TransactionShape", "api/v1/credits/transactions", answer => answer[0]!);
        await HasFieldsAsync("HistoryShape", "api/v1/llm/credits/history", answer => answer);
        await HasFieldsAsync("SummaryShape", "api/v1/credits/usage/summary", answer => answer);
        await HasFieldsAsync("ModelShape", "api/v1/credits/usage/by-model", answer => answer[0]!);
        await HasFieldsAsync("ServiceShape", "api/v1/credits/usage/by-service", answer => answer[0]!);
        await HasFieldsAsync("TierAnswer", "api/v1/credits/tiers", answer => answer[0]!);

        async Task HasFieldsAsync(string schema, string path, Func<JsonNode, JsonNode> pick)
        {
            var answer = await fixture.GetAsync(path, token);
            Assert.Equal(HttpStatusCode.OK, answer.Status);
            var described = document["components"]!["schemas"]![schema]!["required"]!.AsArray().Select(field => (string)field!);
            Assert.Equal(described.Order(StringComparer.Ordinal),
                pick(answer.Json).AsObject().Select(field => field.Key).Order(StringComparer.Ordinal));
        }
    }
}
