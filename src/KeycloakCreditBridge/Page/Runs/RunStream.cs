using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Reconciliation.Runs;

namespace KeycloakCreditBridge.Page.Runs;

/// <summary>Tells the progress of a run as it goes on, at most once a second, to at most 100 windows of this replica.</summary>
internal sealed class RunStream(
    RequestedRunStore store, SessionKeeper sessions, IHostApplicationLifetime lifetime, TimeProvider clock)
{
    private const int MostStreams = 100;

    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    private int _streams;

    public async Task<IResult> SendAsync(HttpContext context, string realm, long id)
    {
        var user = Operator.Of(context);
        user.Demand(realm, Access.View);
        if (await store.FindAsync(realm, id, context.RequestAborted) is null)
            throw Operator.NotFound();
        if (Interlocked.Increment(ref _streams) > MostStreams)
        {
            Interlocked.Decrement(ref _streams);
            context.Response.Headers.RetryAfter = "5";
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }

        context.Response.OnCompleted(() =>
        {
            Interlocked.Decrement(ref _streams);
            return Task.CompletedTask;
        });
        return TypedResults.ServerSentEvents(EventsAsync(user, realm, id, context.RequestAborted));
    }

    private async IAsyncEnumerable<SseItem<string>> EventsAsync(
        Operator user, string realm, long id, [EnumeratorCancellation] CancellationToken aborted)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(aborted, lifetime.ApplicationStopping);
        var (sent, told, checkedAt) = ("", clock.GetUtcNow(), clock.GetUtcNow());
        while (!ended.IsCancellationRequested)
        {
            var now = clock.GetUtcNow();
            if (now - checkedAt >= Heartbeat)
            {
                // An operator without the session, or with other roles, sees nothing more.
                if (!await sessions.IsLiveAsync(user, aborted))
                    yield break;
                checkedAt = now;
            }

            var run = await store.FindAsync(realm, id, aborted);
            var text = run is null ? "{}" : JsonSerializer.Serialize(RunProgress.Of(run));
            if (text != sent || now - told >= Heartbeat)
            {
                (sent, told) = (text, now);
                yield return new SseItem<string>(text, "progress") { EventId = now.UtcTicks.ToString(CultureInfo.InvariantCulture) };
            }

            if (run?.Status is not ("waiting" or "running"))
            {
                yield return new SseItem<string>("", "end");
                yield break;
            }

            await Task.Delay(Every, clock, ended.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }
}
