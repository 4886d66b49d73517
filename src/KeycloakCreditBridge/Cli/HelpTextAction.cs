using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace KeycloakCreditBridge.Cli;

/// <summary>The generated help, followed by what no option says: examples, exit codes, where settings come from.</summary>
internal sealed class HelpTextAction(HelpAction generated) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        generated.Invoke(parseResult);
        parseResult.InvocationConfiguration.Output.WriteLine(HelpText.Footer);
        return ExitCode.Done;
    }
}
