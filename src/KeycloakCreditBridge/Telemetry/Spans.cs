using System.Diagnostics;

namespace KeycloakCreditBridge.Telemetry;

/// <summary>The bridge's own spans. Where nothing listens to them, none is made.</summary>
internal static class Spans
{
    public const string SourceName = "KeycloakCreditBridge";

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>
    /// The running trace as W3C's `traceparent`, to be kept with what is done later. Where no trace is recorded it is that of the request,
    /// for the lines of the log; null where spans are recorded and those of this trace are not.
    /// </summary>
    public static string? CurrentParent =>
        Activity.Current is { IdFormat: ActivityIdFormat.W3C } current && (current.Recorded || !Source.HasListeners()) ? current.Id : null;

    /// <summary>Begins a span within the running trace, or a trace.</summary>
    public static Activity? Start(string name, params ReadOnlySpan<(string Key, object? Value)> tags)
    {
        var span = Source.StartActivity(name);
        Tag(span, tags);
        return span;
    }

    /// <summary>Begins a span in the trace of what caused it.</summary>
    /// <param name="name">What is done.</param>
    /// <param name="parent">W3C's `traceparent` as it was kept; null begins a trace.</param>
    /// <param name="tags">Attributes of the span.</param>
    public static Activity? StartIn(string? parent, string name, params ReadOnlySpan<(string Key, object? Value)> tags)
    {
        var span = Source.StartActivity(name, ActivityKind.Consumer, Context(parent));
        Tag(span, tags);
        return span;
    }

    /// <summary>Begins a trace of work for many that are each in a trace of their own; it links to all of them.</summary>
    public static Activity? StartBatch(string name, IEnumerable<string?> parents)
    {
        if (!Source.HasListeners())
            return null;
        ActivityLink[] links = [.. parents.OfType<string>().Select(parent => new ActivityLink(Context(parent)))];
        return Source.StartActivity(name, ActivityKind.Internal, default(ActivityContext), links: links);
    }

    /// <summary>Adds a span of work that a batch did for one to the one's own trace; it links to the batch's.</summary>
    public static void AddPart(string? parent, string name, Activity? batch, params ReadOnlySpan<(string Key, object? Value)> tags)
    {
        if (parent is null || batch is null)
            return;
        var part = Source.StartActivity(
            name, ActivityKind.Consumer, Context(parent), links: [new ActivityLink(batch.Context)], startTime: batch.StartTimeUtc);
        Tag(part, tags);
        part?.Stop();
    }

    private static ActivityContext Context(string? parent) =>
        ActivityContext.TryParse(parent, null, isRemote: true, out var context) ? context : default;

    private static void Tag(Activity? span, ReadOnlySpan<(string Key, object? Value)> tags)
    {
        if (span is null)
            return;
        foreach (var (key, value) in tags)
            span.SetTag(key, value);
    }
}
