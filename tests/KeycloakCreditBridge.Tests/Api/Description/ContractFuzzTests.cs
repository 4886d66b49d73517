using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Api.Description;

/// <summary>Sends what the document allows, and what it does not, and holds every answer against it.</summary>
[StartsPrograms]
public sealed class ContractFuzzTests(PostgresFixture postgres)
{
    private const int Requests = 60;
    private const int Seed = 20_260_131;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_answer_has_a_status_a_media_type_and_a_body_that_the_document_declares()
    {
        await using var bridge = await DescribedBridgeFixture.StartAsync(postgres);
        var document = JsonNode.Parse(bridge.Text)!;
        var schemas = new DocumentSchema(document);
        var fuzzer = new RequestFuzzer(schemas, Seed);
        using var http = new HttpClient();
        // A run, an account and a delivery that paths can name.
        await MakeCampaignAsync(bridge, http, """{"name":"webinar","credits":1}""");
        await MakeCampaignAsync(bridge, http, """{"name":"word","credits":1,"code":"W0RDW0RD","max_redemptions":9}""");
        List<string> known = [bridge.UserId, "1", await DeliveryAsync(bridge, http)];
        Dictionary<string, string> problems = [];
        foreach (var (path, methods) in document["paths"]!.AsObject())
        foreach (var (method, operation) in methods!.AsObject())
        {
            var succeeded = false;
            for (var number = 0; number < Requests; number++)
            {
                var isValid = number % 3 == 0;
                using var request = Make(bridge, fuzzer, known, path, method, operation!, isValid);
                var sent = $"{method} {request.RequestUri!.PathAndQuery} {await BodyOf(request)}";
                using var answer = await http.SendAsync(request, Token);
                succeeded |= answer.IsSuccessStatusCode;
                if (await ProblemWithAsync(answer, operation!, schemas) is { } problem)
                    problems.TryAdd($"{method} {path} answered {(int)answer.StatusCode}: {Short(problem)}", sent);
            }

            // A run may have ended before it is cancelled, and no delivery failed here. A hold is decided by its version.
            if (!succeeded && (string?)operation!["operationId"] is not
                ("cancelRun" or "replayFailedDeliveries" or "approveHold" or "rejectHold" or "appealGrant"))
                problems[$"{method} {path} never succeeded."] = "";
        }

        Assert.True(
            problems.Count == 0,
            $"{problems.Count} problems:\n{string.Join('\n', problems.Take(50).Select(found => $"{found.Key}\n  to {found.Value}"))}");
    }

    [Fact]
    public async Task Every_method_and_path_below_authz_answers_as_the_document_says_of_authz()
    {
        await using var bridge = await DescribedBridgeFixture.StartAsync(postgres);
        var document = JsonNode.Parse(bridge.Text)!;
        using var http = new HttpClient();
        foreach (var method in (string[])["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND"])
        foreach (var token in (string?[])[bridge.UserToken, null])
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(bridge.Url, "authz/any/path?of=it"));
            if (token is not null)
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            using var answer = await http.SendAsync(request, Token);
            Assert.Equal(token is null ? 401 : 200, (int)answer.StatusCode);
            Assert.NotNull(document["paths"]!["/authz"]!["get"]!["responses"]![$"{(int)answer.StatusCode}"]);
        }
    }

    private static HttpRequestMessage Make(
        DescribedBridgeFixture bridge, RequestFuzzer fuzzer, List<string> known, string path, string method, JsonNode operation,
        bool isValid)
    {
        List<string> query = [];
        var request = new HttpRequestMessage { Method = new HttpMethod(method.ToUpperInvariant()) };
        foreach (var parameter in operation["parameters"]?.AsArray() ?? [])
        {
            var (name, place) = ((string)parameter!["name"]!, (string)parameter["in"]!);
            var value = isValid ? fuzzer.Valid(parameter["schema"]!)?.ToString() ?? "" : fuzzer.Text(fuzzer.Below(300));
            if (place == "path")
            {
                var segment = name == "realm" && isValid ? DescribedBridgeFixture.Realm
                    : name == "key" && isValid ? "signup"
                    : name == "name" && isValid ? "webinar"
                    : name is "referral" or "hold" && isValid ? DescribedBridgeFixture.Referral
                    : fuzzer.Below(3) > 0 ? fuzzer.Pick(known) : value;
                path = path.Replace($"{{{name}}}", Uri.EscapeDataString(segment.Length == 0 ? "x" : segment), StringComparison.Ordinal);
            }
            else if (fuzzer.Below(2) == 0 && place == "query")
            {
                query.Add($"{name}={Uri.EscapeDataString(isValid ? Known(name) ?? value : value)}");
                if (!isValid && fuzzer.Below(6) == 0)
                    query.Add($"{name}=again");
            }
            else if (fuzzer.Below(2) == 0 && place == "header")
            {
                request.Headers.TryAddWithoutValidation(name, isValid ? $"key-{fuzzer.Below(5)}" : Escaped(value));
            }
        }

        request.RequestUri = new Uri(bridge.Url, $"{path}?{string.Join('&', query)}".TrimEnd('?'));
        Prove(request, bridge, fuzzer, isValid);
        if (operation["requestBody"]?["content"] is JsonObject contents)
            request.Content = Body(bridge, fuzzer, contents, isValid);
        return request;

        string? Known(string parameter) => parameter switch
        {
            "user_id" => fuzzer.Pick(known),
            "realm" => DescribedBridgeFixture.Realm,
            "by" => fuzzer.Pick("tier", "day"),
            "from" or "to" => DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            "since" => "2026-01-31",
            _ => null,
        };
    }

    private static async Task MakeCampaignAsync(DescribedBridgeFixture bridge, HttpClient http, string campaign)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(bridge.Url, "api/v1/credits/codes"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", bridge.AdminToken);
        request.Content = new StringContent(campaign, Encoding.UTF8, "application/json");
        (await http.SendAsync(request, Token)).EnsureSuccessStatusCode().Dispose();
    }

    // The id of a delivery of the user, which is written behind the answer.
    private static async Task<string> DeliveryAsync(DescribedBridgeFixture bridge, HttpClient http)
    {
        using var webhook = new HttpRequestMessage(HttpMethod.Post, new Uri(bridge.Url, "webhooks/keycloak"));
        webhook.Headers.Add("X-Webhook-Secret", DescribedBridgeFixture.WebhookSecret);
        webhook.Content = JsonContent.Create(new { type = "access.LOGIN", authDetails = new { userId = bridge.UserId } });
        (await http.SendAsync(webhook, Token)).EnsureSuccessStatusCode().Dispose();
        var id = "";
        await Eventually.TrueAsync(
            async () =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(bridge.Url, "api/v1/admin/deliveries?limit=1"));
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", bridge.AdminToken);
                using var answer = await http.SendAsync(request, Token);
                var listed = JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!.AsArray();
                id = listed is [{ } first, ..] ? (string)first["id"]! : "";
                return id.Length > 0;
            },
            "the delivery is listed");
        return id;
    }

    // Whatever a route takes as proof is there: routes ignore the others.
    private static void Prove(HttpRequestMessage request, DescribedBridgeFixture bridge, RequestFuzzer fuzzer, bool isValid)
    {
        var proof = isValid || fuzzer.Below(4) > 0;
        if (proof || fuzzer.Below(2) == 0)
            request.Headers.TryAddWithoutValidation(
                "Authorization", proof ? $"Bearer {(fuzzer.Below(3) == 0 ? bridge.UserToken : bridge.AdminToken)}" : "Bearer a.b.c");
        if (proof || fuzzer.Below(2) == 0)
            request.Headers.TryAddWithoutValidation("x-api-key", proof ? DescribedBridgeFixture.GatewayKey : "wrong");
        if (proof)
            request.Headers.TryAddWithoutValidation("X-Webhook-Secret", DescribedBridgeFixture.WebhookSecret);
    }

    private static ByteArrayContent Body(DescribedBridgeFixture bridge, RequestFuzzer fuzzer, JsonObject contents, bool isValid)
    {
        var media = fuzzer.Pick([.. contents.Select(content => content.Key)]);
        var schema = contents[media]!["schema"]!;
        var text = isValid || fuzzer.Below(5) > 0
            ? (isValid ? fuzzer.Valid(schema) : fuzzer.Invalid(schema))?.ToJsonString() ?? "null"
            : fuzzer.Pick("", "{", "[]", "{\"a\":1,\"a\":2}", "\"\\ud800\"", new string('[', 200), new string(' ', 300_000));
        // An account that exists and an event of a user, so that more than refusals is checked.
        if (isValid && JsonNode.Parse(text) is JsonObject { } members)
        {
            if (members.ContainsKey("user_id"))
                members["user_id"] = bridge.UserId;
            if (members.ContainsKey("new_tier"))
                members["new_tier"] = "free";
            if (members is { Count: 1 } && members.ContainsKey("code"))
                members["code"] = "W0RDW0RD";
            // Texts that fit a campaign's fields are rarely such as it takes.
            string[] rare = members.ContainsKey("credits") ? ["code", "expires_after", "starts_at", "ends_at", "once"] : [];
            foreach (var field in rare)
                members.Remove(field);
            if (members.Count == 0)
                (media, members["type"], members["authDetails"]) = ("application/json", "access.LOGIN", new JsonObject
                {
                    ["userId"] = bridge.UserId,
                });
            text = members.ToJsonString();
        }

        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(text));
        content.Headers.TryAddWithoutValidation("Content-Type", isValid || fuzzer.Below(8) > 0 ? media : "text/plain");
        if (!isValid && fuzzer.Below(12) == 0)
            content.Headers.TryAddWithoutValidation("Content-Encoding", "gzip");
        return content;
    }

    private static async Task<string?> ProblemWithAsync(HttpResponseMessage answer, JsonNode operation, DocumentSchema schemas)
    {
        if (operation["responses"]![$"{(int)answer.StatusCode}"] is not { } declared)
            return "the status is not declared";
        var body = await answer.Content.ReadAsStringAsync(Token);
        var media = answer.Content.Headers.ContentType?.MediaType;
        if (declared["content"] is not JsonObject contents)
            return body.Length == 0 ? null : "a body is not declared";
        if (media is null || contents[media]?["schema"] is not { } schema)
            return $"the media type {media} is not declared";
        if (media == "text/plain")
            return null;
        try
        {
            return schemas.ProblemWith(JsonNode.Parse(body), schema);
        }
        catch (JsonException exception)
        {
            return exception.Message;
        }
    }

    private static string Escaped(string text) => string.Concat(text.Where(char.IsAscii));

    private static async Task<string> BodyOf(HttpRequestMessage request) =>
        request.Content is null ? "" : Short(await request.Content.ReadAsStringAsync(Token));

    private static string Short(string text) => text.Length > 300 ? text[..300] : text;
}
