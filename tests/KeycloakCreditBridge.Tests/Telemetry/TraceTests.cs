using System.Net;
using System.Text;
using Dapper;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Telemetry;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Configuration;

namespace KeycloakCreditBridge.Tests.Telemetry;

[StartsPrograms]
public sealed class TraceTests
{
    private const string Converging = "hint_version)";

    [Fact]
    public async Task One_trace_leads_from_the_webhook_to_the_commit_although_the_replica_that_received_it_was_killed()
    {
        await using var receiver = await OtlpReceiverFixture.StartAsync();
        await using var fixture = await FaultFixture.CreateAsync();
        var settings = fixture.HintsOnly.Concat(receiver.Settings).ToDictionary(StringComparer.Ordinal);
        await using var killed = await BridgeProcess.StartAsync(fixture.BridgeUrl, settings);
        await using var blocker = await fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using (var transaction = await blocker.BeginTransactionAsync(TestContext.Current.CancellationToken))
        {
            await blocker.ExecuteAsync("lock table user_credits in share row exclusive mode");
            await fixture.CreateUserAsync("ana");
            await Eventually.TrueAsync(() => fixture.Database.WaitsAsync(Converging), "the converging statement waits");
            await Eventually.TrueAsync(() => Task.FromResult(Received().Count > 0), "the webhook's span is received");
            await killed.KillAsync();
            await fixture.Database.EndWaitingAsync(Converging);
        }

        Assert.Equal(0, await fixture.AccountsAsync());
        await using var next = await BridgeProcess.StartAsync(FaultFixture.NewUrl(), settings);
        await Eventually.TrueAsync(
            () => Task.FromResult(receiver.Spans.Any(span => span.Name == "commit user")), "the commit's span is received");

        var trace = receiver.Spans.First(span => span.Name == "commit user").Trace;
        Assert.Contains(Received(), span => span.Trace == trace);
        Assert.Contains(receiver.Spans, span => span.Name == "evaluate user" && span.Trace == trace);
        Assert.Contains(receiver.Spans, span => span.Name == "converge accounts" && span.Links.Contains(trace));
        Assert.Equal(1, await fixture.AccountsAsync());
        await Eventually.TrueAsync(
            () => Task.FromResult(receiver.Has("metrics") && receiver.Has("logs")), "metrics and logs are received");

        List<ReceivedSpan> Received() =>
            [.. receiver.Spans.Where(span => span.Name.StartsWith("POST", StringComparison.Ordinal) && span.Name.Contains("webhooks"))];
    }

    [Fact]
    public async Task Refused_requests_are_not_traced_and_proven_webhooks_are()
    {
        await using var receiver = await OtlpReceiverFixture.StartAsync();
        await using var fixture = await FaultFixture.CreateAsync();
        await using var bridge = await BridgeProcess.StartAsync(
            fixture.BridgeUrl, fixture.HintsOnly.Concat(receiver.Settings).ToDictionary(StringComparer.Ordinal));
        using var client = new HttpClient { BaseAddress = fixture.BridgeUrl };
        var refused = "0af7651916cd43dd8448eb211c80319c";
        client.DefaultRequestHeaders.Add("traceparent", $"00-{refused}-b7ad6b7169203331-01");
        var webhook = new Uri($"webhooks/keycloak/{FaultFixture.Realm}", UriKind.Relative);
        using var json = new StringContent("{}", Encoding.UTF8, "application/json");
        using var text = new StringContent("{}");
        using var unproven = await client.PostAsync(webhook, json, TestContext.Current.CancellationToken);
        using var unread = await client.PostAsync(webhook, text, TestContext.Current.CancellationToken);
        using var unknown = await client.GetAsync(
            new Uri("no-such-page", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(
            (HttpStatusCode.Unauthorized, HttpStatusCode.UnsupportedMediaType, HttpStatusCode.NotFound),
            (unproven.StatusCode, unread.StatusCode, unknown.StatusCode));

        await fixture.CreateUserAsync("ana");

        await Eventually.TrueAsync(
            () => Task.FromResult(receiver.Spans.Any(span => span.Name.Contains("webhooks") && span.Trace != refused)),
            "the proven webhook's span is received");
        Assert.DoesNotContain(receiver.Spans, span => span.Trace == refused);
    }

    [Theory]
    [InlineData("TRACES", true, "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4317")]
    [InlineData("LOGS", true, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://collector:4317")]
    [InlineData("TRACES", false, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://collector:4317")]
    [InlineData("METRICS", false, "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4317", "OTEL_METRICS_EXPORTER=none")]
    [InlineData("METRICS", false, "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4317", "OTEL_SDK_DISABLED=true")]
    [InlineData("METRICS", false)]
    public void A_signal_is_sent_where_it_has_an_endpoint_and_is_not_switched_off(string signal, bool isSent, params string[] variables)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(variables.Select(variable => variable.Split('=', 2))
                .ToDictionary(pair => pair[0], string? (pair) => pair[1]))
            .Build();

        Assert.Equal(isSent, OtlpExport.IsWanted(configuration, signal));
    }
}
