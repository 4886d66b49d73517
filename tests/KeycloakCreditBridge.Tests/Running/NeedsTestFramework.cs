using System.Reflection;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestFramework(typeof(KeycloakCreditBridge.Tests.Running.NeedsTestFramework))]

namespace KeycloakCreditBridge.Tests.Running;

/// <summary>Gives every test the traits of <see cref="TestNeeds"/> and <see cref="TestSpeed"/> when it is discovered.</summary>
public sealed class NeedsTestFramework : XunitTestFramework
{
    protected override ITestFrameworkDiscoverer CreateDiscoverer(Assembly assembly) =>
        new Discoverer(((XunitTestFrameworkDiscoverer)base.CreateDiscoverer(assembly)).TestAssembly);

    private sealed class Discoverer(IXunitTestAssembly assembly) : XunitTestFrameworkDiscoverer(assembly)
    {
        protected override ValueTask<bool> FindTestsForMethod(
            IXunitTestMethod testMethod, ITestFrameworkDiscoveryOptions discoveryOptions,
            Func<ITestCase, ValueTask<bool>> discoveryCallback) =>
            base.FindTestsForMethod(testMethod, discoveryOptions, testCase => discoveryCallback(WithTraits(testCase)));

        private static ITestCase WithTraits(ITestCase testCase)
        {
            if (testCase is not XunitTestCase found)
                return testCase;
            found.Traits[TestSpeed.Trait] = [TestSpeed.Of(found.TestClass.Class)];
            if (!found.Traits.ContainsKey(TestNeeds.Trait))
            {
                var needs = TestNeeds.Of(found.TestClass.Class, found.TestMethod.Method, found.TestMethodArguments);
                found.Traits[TestNeeds.Trait] = [needs];
            }

            return testCase;
        }
    }
}
