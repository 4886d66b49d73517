using KeycloakCreditBridge.Health;

namespace KeycloakCreditBridge.Cli;

/// <summary>What the process tells its caller. The help prints this list.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int SomeFailed = 1;
    public const int Usage = 2;
    public const int Unreachable = 3;

    /// <summary>128 plus the number of SIGINT, as shells report it.</summary>
    public const int Stopped = 130;

    public static int Of(Exception exception) => Failure.KindOf(exception) switch
    {
        FailureKind.Misconfigured => Usage,
        FailureKind.Unreachable => Unreachable,
        _ => SomeFailed,
    };
}
