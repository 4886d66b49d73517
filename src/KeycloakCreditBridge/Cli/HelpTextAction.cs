using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace KeycloakCreditBridge.Cli;

/// <summary>The generated help, as wide as the terminal. The program's own help ends with examples, exit codes and settings.</summary>
internal sealed class HelpTextAction(RootCommand root) : SynchronousCommandLineAction
{
    // The usual terminal; also what a pipe gets, which has no width.
    private const int UsualWidth = 80;
    private const int MaxWidth = 120;

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        foreach (var command in Commands(root))
            command.Description = command.Description?.ReplaceLineEndings(" ");
        new HelpAction { MaxWidth = Width() }.Invoke(parseResult);
        if (parseResult.CommandResult.Command == root)
            parseResult.InvocationConfiguration.Output.WriteLine(HelpText.Footer);
        return ExitCode.Done;
    }

    private static IEnumerable<Command> Commands(Command command) => command.Subcommands.SelectMany(Commands).Prepend(command);

    private static int Width() => Console.IsOutputRedirected || Console.WindowWidth < UsualWidth / 2
        ? UsualWidth
        : Math.Min(Console.WindowWidth, MaxWidth);
}
