using System.IO.Enumeration;
using System.Text;

namespace KeycloakCreditBridge.Sandbox.Emulator.Http;

/// <summary>
/// Faults that a test injects. Patterns are paths in which <c>*</c> stands for anything, or paths with a query where they have a
/// question mark.
/// </summary>
internal sealed class FaultInjector
{
    private readonly Lock _gate = new();
    private readonly List<Fault> _faults = [];

    /// <summary>The error of the server's clock.</summary>
    public TimeSpan ClockOffset { get; set; }

    /// <summary>How long a transaction lasts after its events got their times: until then its users and events are invisible.</summary>
    public TimeSpan CommitDelay { get; set; }

    /// <summary>Answers the next requests with a status, and Retry-After when given.</summary>
    public void Fail(string path, int count, int status, TimeSpan? retryAfter = null) => Add(path, count, (context, _, _) =>
    {
        context.Response.StatusCode = status;
        if (retryAfter is { } delay)
            context.Response.Headers.RetryAfter = ((int)delay.TotalSeconds).ToString(System.Globalization.CultureInfo.InvariantCulture);
        return Task.CompletedTask;
    });

    /// <summary>Cuts the next bodies in half, with status 200.</summary>
    public void Truncate(string path, int count) => Add(path, count, (context, next, _) => AnswerBody.TruncateAsync(context, next));

    /// <summary>Never answers the next requests; they end when the caller gives up or the server stops.</summary>
    public void Hang(string path, int count) =>
        Add(path, count, (context, _, clock) => Task.Delay(Timeout.InfiniteTimeSpan, clock, context.RequestAborted));

    /// <summary>Delays the answers to the next requests.</summary>
    public void Delay(string path, int count, TimeSpan delay) => Add(path, count, async (context, next, clock) =>
    {
        await Task.Delay(delay, clock, context.RequestAborted);
        await next(context);
    });

    /// <summary>Answers with a status, always, where the body would contain this text.</summary>
    public void FailWhenBodyContains(string path, string text, int status) => Add(path, int.MaxValue, (context, next, _) =>
        AnswerBody.ChangeAsync(context, next, body =>
        {
            if (!Encoding.UTF8.GetString(body.Span).Contains(text, StringComparison.Ordinal))
                return body;
            context.Response.StatusCode = status;
            return default;
        }));

    /// <summary>Replaces a text in all bodies, as another configuration of the server would.</summary>
    public void Replace(string path, string text, string by) => Add(path, int.MaxValue, (context, next, _) =>
        AnswerBody.ChangeAsync(
            context, next, body => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(body.Span).Replace(text, by, StringComparison.Ordinal))));

    /// <summary>Runs an action just before the next requests are answered.</summary>
    public void RunBefore(string path, int count, Action act) => Add(path, count, (context, next, _) =>
    {
        act();
        return next(context);
    });

    /// <summary>Answers requests only once a task has ended.</summary>
    public void Hold(string path, int count, Task until) => Add(path, count, async (context, next, _) =>
    {
        await until;
        await next(context);
    });

    /// <summary>Removes all faults.</summary>
    public void Reset()
    {
        lock (_gate)
            _faults.Clear();
        (ClockOffset, CommitDelay) = (TimeSpan.Zero, TimeSpan.Zero);
    }

    /// <summary>Answers a request, by a fault if one is due.</summary>
    public async Task InvokeAsync(HttpContext context, RequestDelegate next, TimeProvider clock)
    {
        var effect = Take(context.Request.Path.Value ?? "", context.Request.QueryString.Value ?? "");
        try
        {
            await (effect is null ? next(context) : effect(context, next, clock));
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            context.Abort();
        }
    }

    private void Add(string path, int count, FaultEffect effect)
    {
        lock (_gate)
            _faults.Add(new Fault(path, effect) { Left = count });
    }

    private FaultEffect? Take(string path, string query)
    {
        lock (_gate)
        {
            var fault = _faults.Find(candidate => candidate.Left > 0
                && FileSystemName.MatchesSimpleExpression(
                    candidate.Path, candidate.Path.Contains('?', StringComparison.Ordinal) ? path + query : path));
            if (fault is not null)
                fault.Left--;
            return fault?.Effect;
        }
    }

    private delegate Task FaultEffect(HttpContext context, RequestDelegate next, TimeProvider clock);

    private sealed record Fault(string Path, FaultEffect Effect)
    {
        public int Left { get; set; }
    }
}
