using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Outbox.Sending;

[StartsPrograms]
public sealed class KilledSenderTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_service_that_is_killed_after_it_sent_and_before_it_kept_that_sends_the_same_id_again()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = new OutboxFixture(await postgres.CreateDatabaseAsync());
        var came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using (var killed = Start(fixture, sink))
        {
            await Eventually.TrueAsync(
                async () => await fixture.Switch.IsOnAsync(Token) == true && await fixture.Endpoints.StateAsync("crm", Token) is not null,
                "events are recorded and sent");
            // The sink has the event, and the service hears nothing of it.
            sink.Answer = async (_, context) =>
            {
                came.TrySetResult();
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return 204;
            };
            await fixture.OpenAsync();
            await came.Task.WaitAsync(Token);
            await killed.SignalAsync("KILL");
            await killed.EndAsync();
        }

        await Eventually.TrueAsync(() => sink.Asked.Count == 1, "the sink took it");
        sink.Answer = (_, _) => Task.FromResult(204);
        // As if the time of the dead one's lease were over.
        await fixture.Database.ExecuteAsync("delete from leases where name = 'outbox:crm'");
        await fixture.TakeAsync(4m);
        using var next = Start(fixture, sink);
        await Eventually.TrueAsync(() => sink.Asked.Count >= 3, "the next service sends");
        Assert.Equal(
            ["credits.account.opened", "credits.account.opened", "credits.low"], sink.Asked.Select(one => one.Type));
        Assert.Equal(sink.Asked[0].Id, sink.Asked[1].Id);
    }

    private static CommandProcess Start(OutboxFixture fixture, SinkFixture sink)
    {
        var settings = BridgeFixture.Settings(fixture.Database.ConnectionString, new Uri("http://127.0.0.1:9"));
        settings["Urls"] = $"http://127.0.0.1:{FreePort.Next()}";
        settings["Outbox:Enabled"] = "true";
        settings["Outbox:Low:trial"] = "2";
        settings["Outbox:Endpoints:crm:Url"] = $"{sink.Url}";
        settings["Outbox:Endpoints:crm:Secret"] = SinkFixture.Secret;
        settings["Outbox:Endpoints:crm:AllowHttp"] = "true";
        settings["Outbox:Endpoints:crm:AllowPrivate"] = "true";
        settings["Outbox:Endpoints:crm:Timeout"] = "00:01:00";
        return CommandProcess.Start(settings, "run");
    }
}
