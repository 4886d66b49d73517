using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Intake;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests.Configuration.Logs;

/// <summary>Each line about a user has realm, user and trace as fields.</summary>
[StartsPrograms]
public sealed partial class UserLineTests(PostgresFixture postgres)
{
    private const string GatewayKey = "gateway-key-of-the-test";

    private const string Refusing =
        """
        update user_credits set tier = 'starter', created_at = now() - interval '40 days',
            last_reset = now() - interval '1 day' where user_id = @User;
        create function refuse_period() returns trigger language plpgsql as $$ begin raise exception 'refused by the test'; end $$;
        create trigger refuse_period before update of last_reset on user_credits
            for each row when (new.tier = 'starter') execute function refuse_period();
        """;

    private static readonly string[] OfUser = ["user", "userId", "keycloakId", "account", "accountId"];

    [Theory]
    [InlineData(nameof(LogFormat.Text))]
    [InlineData(nameof(LogFormat.Json))]
    public async Task A_line_of_each_flow_has_realm_user_and_trace(string format)
    {
        await using var fixture = await ExecutableFixture.CreateAsync(postgres);
        foreach (var (key, value) in new Dictionary<string, string?>
        {
            ["Logs:Format"] = format,
            ["Serilog:MinimumLevel:Override:KeycloakCreditBridge"] = "Debug",
            ["Keycloak:Realms:0:WebhookSecrets:0"] = Deliveries.Secret,
            ["Metering:ApiKeys:0"] = GatewayKey,
            ["Provisioning:TierFrom:Attribute"] = "plan",
            ["Periods:Enabled"] = "true",
            ["Periods:Cron"] = "0/2 * * * * ?",
            ["Reconciliation:Enabled"] = "true",
            ["Reconciliation:Cron"] = "0/2 * * * * ?",
        })
            fixture.Settings[key] = value;
        await fixture.StartAsync();
        Line? Find(int id, string user) => Lines(fixture.Bridge.Output, format).Find(line => line.Id == id && line.User == user);

        var told = fixture.AddUser();
        var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent(told));
        await fixture.SendAsync(
            HttpMethod.Post, "webhooks/keycloak/demo", Encoding.UTF8.GetString(body),
            headers => headers.Add("X-Keycloak-Signature", Deliveries.Sign(body)));
        await SeenAsync("webhook and worker", told, 203, 400, 418);
        Assert.Equal(Find(203, told)!.Trace, Find(400, told)!.Trace);
        Assert.Equal(Find(203, told)!.Trace, Find(418, told)!.Trace);

        var read = fixture.AddUser();
        await fixture.GetAsync("api/v1/credits/balance", fixture.TokenOf(read));
        await SeenAsync("first read", read, 832, 400);
        await fixture.PostAsync("api/v1/credits/deduct", fixture.TokenOf("billing", "credits-service"),
            new JsonObject { ["user_id"] = read, ["amount"] = 1, ["service"] = "test" });
        await SeenAsync("deduct", read, 840);
        await fixture.PostAsync("api/v1/credits/adjust", fixture.TokenOf("operator", "credits-admin"),
            new JsonObject { ["user_id"] = told, ["amount"] = 1, ["reason"] = "test" });
        await SeenAsync("an administrator's change", told, 840);

        await fixture.SendAsync(
            HttpMethod.Post, "beta/litellm_basic_guardrail_api",
            new JsonObject { ["request_data"] = new JsonObject { ["user_api_key_user_id"] = read } }.ToJsonString(),
            headers => headers.Add("x-api-key", GatewayKey));
        await SeenAsync("gate", read, 858);
        await fixture.SendAsync(
            HttpMethod.Post, "usage/litellm",
            new JsonArray(new JsonObject
            {
                ["id"] = "call-1", ["status"] = "success", ["response_cost"] = 0.5m, ["total_tokens"] = 10, ["model"] = "m",
                ["metadata"] = new JsonObject { ["user_api_key_user_id"] = read },
            }).ToJsonString(),
            headers => headers.Add("x-api-key", GatewayKey));
        await SeenAsync("meter", read, 859);

        var unheard = fixture.AddUser();
        await SeenAsync("reconciliation", unheard, 400);
        await fixture.Database.ExecuteAsync(Refusing.Replace("@User", $"'{read}'", StringComparison.Ordinal));
        await SeenAsync("period", read, 901);

        // A bridge that runs may open the account before the command reads its user.
        await fixture.Bridge.SignalAsync("TERM");
        await fixture.Bridge.EndAsync();
        var odd = fixture.AddUser(plan: "no-such-tier");
        var (_, _, error) = await CommandProcess.RunAsync(fixture.Settings, "backfill", "--realm", "demo", "--user", odd);
        Assert.Contains(Lines(error, format), line => line.Id == 408 && line.User == odd && line.IsWhole);
        // Every other line about a user too.
        var ids = OfUsers().Select(method => method.GetCustomAttribute<LoggerMessageAttribute>()!.EventId).ToHashSet();
        Assert.DoesNotContain(Lines(fixture.Bridge.Output, format), line => ids.Contains(line.Id) && !line.IsWhole);

        Task SeenAsync(string flow, string user, params int[] events) => Eventually.TrueAsync(
            () => events.All(id => Find(id, user) is { IsWhole: true }), $"{flow} has lines {string.Join(", ", events)} of {user}");
    }

    [Fact]
    public void Each_call_of_a_log_method_with_a_user_stands_in_a_scope()
    {
        var methods = OfUsers().ToList();
        Assert.NotEmpty(methods);
        foreach (var ofClass in methods.GroupBy(method => method.DeclaringType!))
        {
            var file = Assert.Single(Directory.GetFiles(
                Path.Combine(Repository.Top, "src", "KeycloakCreditBridge"), $"{ofClass.Key.Name}.cs", SearchOption.AllDirectories));
            var lines = File.ReadAllLines(file);
            foreach (var method in ofClass)
                Assert.All(
                    Calls(lines, method.Name), call => Assert.True(IsInScope(lines, call), $"{file}:{call + 1} {lines[call].Trim()}"));
        }
    }

    private static IEnumerable<MethodInfo> OfUsers() => typeof(Program).Assembly.GetTypes()
        .SelectMany(type => type.GetMethods(BindingFlags.Instance | BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public))
        .Where(method => method.IsDefined(typeof(LoggerMessageAttribute))
            && method.GetParameters().Any(parameter => OfUser.Contains(parameter.Name)));

    private static IEnumerable<int> Calls(string[] lines, string method) => Enumerable.Range(0, lines.Length).Where(
        index => lines[index].Contains($"{method}(", StringComparison.Ordinal)
            && !lines[index].Contains(" partial ", StringComparison.Ordinal));

    // From the beginning of the method that calls.
    private static bool IsInScope(string[] lines, int call)
    {
        for (var index = call; index >= 0 && !Member().IsMatch(lines[index]); index--)
            if (lines[index].Contains("logger.About(", StringComparison.Ordinal))
                return true;
        return false;
    }

    private static List<Line> Lines(string output, string format) =>
        [.. output.Split('\n').Select(line => format == nameof(LogFormat.Json) ? OfJson(line) : OfText(line)).OfType<Line>()];

    private static Line? OfText(string text) => TextLine().Match(text) is { Success: true } line
        ? new(
            int.Parse(line.Groups["id"].Value, CultureInfo.InvariantCulture), Field(line, "Realm"),
            Field(line, "UserId"), Field(line, "TraceId"))
        : null;

    private static string? Field(Match line, string name) => line.Groups[name] is { Success: true } field ? field.Value : null;

    private static Line? OfJson(string text)
    {
        if (!text.StartsWith('{') || JsonNode.Parse(text)!["Properties"] is not { } fields || fields["EventId"]?["Id"] is not { } id)
            return null;
        return new((int)id, (string?)fields["Realm"], (string?)fields["UserId"], (string?)fields["TraceId"]);
    }

    [GeneratedRegex("^    (private|public|protected|internal) ")]
    private static partial Regex Member();

    [GeneratedRegex(@"^\S+ \S+ [A-Z]{3} +(?<id>\d+) .*?(?: Realm=(?<Realm>\S+))?(?: UserId=(?<UserId>\S+))?(?: TraceId=(?<TraceId>\S+))?$")]
    private static partial Regex TextLine();

    [GeneratedRegex("^[0-9a-f]{32}$")]
    private static partial Regex TraceId();

    private sealed record Line(int Id, string? Realm, string? User, string? Trace)
    {
        public bool IsWhole => Realm == "demo" && User is { Length: > 0 } && Trace is not null && TraceId().IsMatch(Trace);
    }
}
