using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Review.Signals.Domains;

/// <summary>
/// The disposable domains: those that come with the program, and those of the operator's file. The file is read again when its text
/// changes. A text that is no list is refused whole, and the list before it stays.
/// </summary>
internal sealed partial class DisposableDomains(Hot<GrantsOptions> options, TimeProvider clock, ILogger<DisposableDomains> logger)
{
    /// <summary>Where the list lies that comes with the program.</summary>
    public static readonly string Shipped = Path.Combine(AppContext.BaseDirectory, "disposable-domains.json");

    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private volatile State _state = State.Unread;

    /// <summary>The file of the list that comes with the program.</summary>
    public string ShippedFile { get; init; } = Shipped;

    /// <summary>The list as it is now; null where there is none.</summary>
    public DomainList? Current => Read().List;

    /// <summary>The list and what is wrong with it.</summary>
    public DisposableStatus Status
    {
        get
        {
            var state = Read();
            return new(state.List, state.Problem);
        }
    }

    // One caller reads, the others go on with the list before.
    private State Read()
    {
        var (state, now) = (_state, options.Current.Fraud.Disposable);
        if (state.IsRead && state.Is(now) && clock.GetElapsedTime(state.ReadAt) < CheckInterval)
            return state;
        if (state.IsRead && state.Is(now))
        {
            if (!_gate.TryEnter())
                return state;
        }
        else
        {
            _gate.Enter();
        }

        try
        {
            return _state = Read(_state, now);
        }
        finally
        {
            _gate.Exit();
        }
    }

    private State Read(State before, DisposableOptions wanted)
    {
        var shipped = before.IsRead ? before.ShippedList : TryRead(ShippedFile, out _, out _, null);
        if (wanted.File.Length == 0)
            return new State(wanted.File, wanted.Replace, shipped, null, "", null, clock.GetTimestamp());
        var kept = before.File == wanted.File ? before.OwnList : null;
        var own = TryRead(wanted.File, out var text, out var problem, kept, before.File == wanted.File ? before.Text : "");
        if (problem is not null && problem != before.Problem)
            LogRefused(wanted.File, problem);
        else if (problem is null && own != kept)
            LogRead(wanted.File, own!.Count, own.Skipped);
        return new State(wanted.File, wanted.Replace, shipped, own, text, problem, clock.GetTimestamp());
    }

    private static DomainList? TryRead(string file, out string text, out string? problem, DomainList? before, string known = "")
    {
        (text, problem) = (known, null);
        try
        {
            var found = File.ReadAllText(file);
            if (found == known && before is not null)
                return before;
            var list = DomainList.Parse(found);
            text = found;
            return list;
        }
        catch (FormatException exception)
        {
            problem = exception.Message;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            problem = $"cannot be read: {exception.Message.ReplaceLineEndings(" ")}";
        }

        return before;
    }

    private sealed record State(
        string File, bool Replace, DomainList? ShippedList, DomainList? OwnList, string Text, string? Problem, long ReadAt)
    {
        public static readonly State Unread = new("", false, null, null, "", null, 0) { IsRead = false };

        public bool IsRead { get; init; } = true;

        public DomainList? List { get; } = (OwnList, ShippedList, Replace) switch
        {
            (null, null, _) => null,
            (null, var shipped, _) => shipped,
            (var own, null, _) => own,
            (var own, _, true) => own,
            var (own, shipped, _) => shipped.With(own),
        };

        public bool Is(DisposableOptions options) => File == options.File && Replace == options.Replace;
    }

    [LoggerMessage(EventId = 1060, Level = LogLevel.Information,
        Message = "Read {Count} disposable domains from {File}; {Skipped} lines that are no domains are left out.")]
    private partial void LogRead(string file, int count, int skipped);

    [LoggerMessage(EventId = 1061, Level = LogLevel.Warning,
        Message = "The disposable domains of {File} are not used, those before stay: the file {Problem}. Correct it; it is read again by "
            + "itself.")]
    private partial void LogRefused(string file, string problem);
}

/// <param name="List">The domains in use; null where there are none.</param>
/// <param name="Problem">What is wrong with the operator's file; null when nothing is.</param>
internal sealed record DisposableStatus(DomainList? List, string? Problem);
